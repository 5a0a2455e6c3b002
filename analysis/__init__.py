"""Tables in; estimates, figures and a report out."""
