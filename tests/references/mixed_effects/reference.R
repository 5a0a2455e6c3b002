# lme4's answers for the data of this folder. Run in the folder: Rscript reference.R
# Needs Debian's r-base-core r-cran-lme4 r-cran-emmeans r-cran-jsonlite.
#
# lme4 ends its inner iteration (PIRLS) when the penalised deviance changes by less than
# tolPwrss = 1e-7 of itself and then takes the determinant at the weights of the iteration before:
# its deviance is off by some 1e-3 and estimates by up to a hundredth of a standard error. The
# numbers kept are those with tolPwrss = 1e-13, started at the default fit; the log-likelihood of
# the default is kept beside them.
suppressMessages({library(lme4); library(emmeans); library(jsonlite)})
emm_options(lmerTest.limit = 0, pbkrtest.limit = 0, lmer.df = "asymptotic")

load_data <- function(name) {
  d <- read.csv(paste0(name, ".csv"), stringsAsFactors = TRUE)
  d$condition <- factor(d$condition, levels = c("original", "body", "background"))
  d$group <- factor(d$group, levels = intersect(c("human", "baseline", "twostream"), levels(d$group)))
  d
}

# A logit with a guessing floor of 1/5, which lme4 takes as a link of one's own.
mafc_logit <- function(floor = 0.2) {
  structure(list(
    linkfun = function(mu) qlogis(pmin(pmax((mu - floor) / (1 - floor), 1e-6), 1 - 1e-6)),
    linkinv = function(eta) floor + (1 - floor) * plogis(eta),
    mu.eta = function(eta) pmax((1 - floor) * dlogis(eta), 1e-12),
    valideta = function(eta) TRUE, name = "mafc_logit"), class = "link-glm")
}

fit_binomial <- function(f, d, link, n_agq) {
  if (link == "mafc_logit") link <- mafc_logit()
  control <- function(tol) glmerControl(optimizer = "bobyqa", tolPwrss = tol, optCtrl = list(maxfun = 2e5))
  first <- glmer(f, d, family = binomial(link), nAGQ = n_agq, control = control(1e-7))
  start <- if (n_agq == 0) getME(first, "theta") else getME(first, c("theta", "fixef"))
  m <- glmer(f, d, family = binomial(link), nAGQ = n_agq, start = start, control = control(1e-13))
  list(m, as.numeric(logLik(first)))
}

fit_gaussian <- function(f, d, reml) {
  control <- lmerControl(optimizer = "nloptwrap", optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5))
  m <- lmer(f, d, REML = reml, control = control)
  list(m, as.numeric(logLik(m)))
}

case <- function(data, formula, family = "binomial", link = "logit", n_agq = 1, reml = TRUE, means = NULL) {
  d <- load_data(data)
  f <- as.formula(formula)
  both <- suppressWarnings(suppressMessages(if (family == "binomial") fit_binomial(f, d, link, n_agq) else fit_gaussian(f, d, reml)))
  m <- both[[1]]
  v <- as.data.frame(VarCorr(m)); v <- v[is.na(v$var2), ]
  out <- list(data = data, formula = formula, family = family, link = link, n_agq = n_agq, reml = reml,
    loglik = as.numeric(logLik(m)), loglik_default = both[[2]], aic = AIC(m), bic = BIC(m), singular = isSingular(m),
    fixed_names = I(names(fixef(m))), fixed = I(unname(fixef(m))), se = I(unname(sqrt(diag(as.matrix(vcov(m)))))),
    random_group = I(v$grp), random_variance = I(v$vcov), fitted = I(unname(fitted(m))[1:5]))
  r <- as.data.frame(ranef(m)); r <- r[r$term == "(Intercept)" & r$grp %in% c("o00", "o07", "i03"), ]
  out <- c(out, list(blup_level = I(as.character(r$grp)), blup = I(r$condval), blup_sd = I(r$condsd)))
  if (!is.null(means)) {
    e <- emmeans(m, as.formula(means))
    p <- as.data.frame(pairs(e, adjust = "holm")); k <- as.data.frame(pairs(e, adjust = "tukey"))
    s <- as.data.frame(e); r <- as.data.frame(regrid(e)); q <- as.data.frame(pairs(regrid(e), adjust = "none"))
    j <- as.data.frame(joint_tests(m))
    out <- c(out, list(means = means, emmean = I(s$emmean), emmean_se = I(s$SE), prob = I(r$prob), prob_se = I(r$SE),
      contrast = I(as.character(p$contrast)), contrast_estimate = I(p$estimate), contrast_se = I(p$SE), p_holm = I(p$p.value), p_tukey = I(k$p.value),
      prob_contrast = I(q$estimate), prob_contrast_se = I(q$SE),
      joint_term = I(j$`model term`), joint_df = I(j$df1), joint_chisq = I(j$F.ratio * j$df1)))
  }
  cat(data, formula, out$loglik, "\n")
  out
}

slopes <- "(1 + condition | observer) + (1 | item)"
cases <- list(
  latin = case("latin", paste("correct ~ condition +", slopes), means = "~ condition"),
  groups = case("groups", paste("correct ~ group * condition +", slopes), means = "~ condition | group"),
  groups_intercepts = case("groups", "correct ~ group * condition + (1 | observer) + (1 | item)", means = "~ condition | group"),
  covariate = case("full", "correct ~ condition + coverage + (1 + coverage | observer) + (1 | item)", means = "~ condition"),
  uncorrelated = case("full", "correct ~ condition + (1 + coverage || observer) + (1 | item)"),
  nested = case("full", "correct ~ condition + (1 | lab/observer) + (1 | item)"),
  items_by_condition = case("full", "correct ~ condition + (1 | observer) + (1 | item) + (1 | item:condition)"),
  items_twice = case("full", "correct ~ condition + (1 | observer) + (1 | item) + (1 | item:lab) + (1 | item:condition)"),
  items_by_group = case("groups", "correct ~ group * condition + (1 | observer) + (1 | item) + (1 | item:group)"),
  probit = case("latin", "correct ~ condition + (1 | observer) + (1 | item)", link = "probit"),
  cloglog = case("full", "correct ~ condition + (1 | observer)", link = "cloglog"),
  guessing = case("full", "correct ~ condition + (1 | observer)", link = "mafc_logit"),
  first_stage = case("latin", paste("correct ~ condition +", slopes), n_agq = 0),
  quadrature = case("full", "correct ~ condition + (1 | observer)", n_agq = 9),
  rt_reml = case("full", paste("log(rt_s) ~ condition + coverage +", slopes), family = "gaussian"),
  rt_ml = case("latin", "log(rt_s) ~ condition + (1 | observer) + (1 | item)", family = "gaussian", reml = FALSE)
)
d <- load_data("full")
m1 <- glmer(correct ~ condition + (1 | observer), d, family = binomial, control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13))
ci <- suppressMessages(confint(m1, parm = "beta_", method = "profile"))
cases$profile <- list(data = "full", formula = "correct ~ condition + (1 | observer)", ci_low = I(unname(ci[, 1])), ci_high = I(unname(ci[, 2])))
write_json(list(lme4 = as.character(packageVersion("lme4")), emmeans = as.character(packageVersion("emmeans")), cases = cases),
  "lme4.json", auto_unbox = TRUE, digits = 12, pretty = TRUE)
