//! The simulated Argo CD: its REST API and a controller model that polls the real Git repository (design section 11).
