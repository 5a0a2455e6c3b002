# One mixed model by lme4, for a cross-check. Needs Debian's r-base-core and r-cran-lme4.
#
#   Rscript lme4.R DATA.csv LEVELS.csv OUT.csv FORMULA LINK METHOD
#
# LEVELS.csv has the columns column and level: the order of every factor's levels. LINK is logit,
# probit, cloglog or gaussian; METHOD is nAGQ of a binomial model, or 1 for REML and 0 for ML.
# Columns `_weights` and `_offset` of DATA.csv are used if they are there. OUT.csv: term, estimate,
# se, loglik. With tolPwrss = 1e-13 the deviance is exact; the default of 1e-7 is off by some 1e-3.
suppressMessages(library(lme4))
a <- commandArgs(TRUE)
d <- read.csv(a[1], check.names = FALSE, stringsAsFactors = TRUE)
levels_of <- read.csv(a[2], colClasses = "character")
for (name in unique(levels_of$column))
  d[[name]] <- factor(as.character(d[[name]]), levels = levels_of$level[levels_of$column == name])
w <- if ("_weights" %in% names(d)) d[["_weights"]] else rep(1, nrow(d))
o <- if ("_offset" %in% names(d)) d[["_offset"]] else rep(0, nrow(d))
f <- as.formula(a[4])
environment(f) <- environment()
method <- as.integer(a[6])
if (a[5] == "gaussian") {
  m <- lmer(f, d, REML = method == 1, weights = w, offset = o)
} else {
  counts <- length(as.list(f[[2]])) == 3 && as.character(f[[2]][[1]]) == "cbind"
  control <- function(tol) glmerControl(optimizer = "bobyqa", tolPwrss = tol, optCtrl = list(maxfun = 2e5))
  fit <- function(tol, start = NULL) {
    if (counts) glmer(f, d, family = binomial(a[5]), nAGQ = method, offset = o, start = start, control = control(tol))
    else glmer(f, d, family = binomial(a[5]), nAGQ = method, weights = w, offset = o, start = start, control = control(tol))
  }
  first <- fit(1e-7)
  m <- if (method == 0) first else fit(1e-13, getME(first, c("theta", "fixef")))
}
write.csv(data.frame(term = names(fixef(m)), estimate = unname(fixef(m)), se = unname(sqrt(diag(as.matrix(vcov(m))))),
  loglik = as.numeric(logLik(m))), a[3], row.names = FALSE)
