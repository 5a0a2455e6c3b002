# lme4's profile intervals of every parameter. Run in the folder: Rscript profile.R
# Needs Debian's r-base-core r-cran-lme4 r-cran-jsonlite.
#
# `sleepstudy` and `cbpp` are lme4's own data; the other tables are those of simulate.py. Binomial
# fits use tolPwrss = 1e-13 for the reason given in reference.R. The intervals of lme4 come from a
# spline through the points of the profile; `coarse` has them with lme4's default distance of points
# and `low`, `high` with a quarter of it, so that the part of the spline in a difference is seen.
suppressMessages({library(lme4); library(jsonlite)})

load_data <- function(name) {
  if (name %in% c("sleepstudy", "cbpp")) return(get(name, "package:lme4"))
  d <- read.csv(paste0(name, ".csv"), stringsAsFactors = TRUE)
  d$condition <- factor(d$condition, levels = c("original", "body", "background"))
  d
}

case <- function(data, formula, family = "gaussian", reml = FALSE) {
  d <- load_data(data)
  f <- as.formula(formula)
  m <- if (family == "gaussian") {
    lmer(f, d, REML = reml, control = lmerControl(optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5)))
  } else {
    glmer(f, d, family = binomial, control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, optCtrl = list(maxfun = 2e5)))
  }
  time <- system.time(default <- profile(m, signames = FALSE))[["elapsed"]]
  cutoff <- sqrt(qchisq(0.99, length(fixef(m)) + length(getME(m, "theta")) + (family == "gaussian")))
  fine <- profile(m, signames = FALSE, delta = cutoff / 32)
  ci <- confint(fine); coarse <- confint(default)
  cat(data, formula, "\n"); print(cbind(ci, coarse))
  list(data = data, formula = formula, family = family, reml = reml, seconds = time, name = I(rownames(ci)),
    low = I(unname(ci[, 1])), high = I(unname(ci[, 2])),
    coarse_low = I(unname(coarse[, 1])), coarse_high = I(unname(coarse[, 2])))
}

cases <- list(
  sleep_slopes_ml = case("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
  sleep_slopes_reml = case("sleepstudy", "Reaction ~ Days + (Days | Subject)", reml = TRUE),
  sleep_intercept = case("sleepstudy", "Reaction ~ Days + (1 | Subject)"),
  herds = case("cbpp", "cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial"),
  crossed = case("latin", "correct ~ condition + (1 | observer) + (1 | item)", "binomial"),
  times = case("full", "log(rt_s) ~ condition + (1 + coverage | observer) + (1 | item)", reml = TRUE),
  wide = case("groups", "log(rt_s) ~ condition + (1 + condition | observer)"),
  boundary = case("full", "correct ~ condition + (1 | observer) + (1 | lab)", "binomial")
)
write_json(list(lme4 = as.character(packageVersion("lme4")), r = R.version.string, cases = cases),
  "profile.json", auto_unbox = TRUE, digits = 12, pretty = TRUE)
