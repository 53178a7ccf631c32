//! A whole platform on loopback: Git over smart HTTP and an Argo CD with a controller model (design section 11).

pub mod argocd;
pub mod clock;
pub mod fault;
