-- A run of the rules asks for each repository where it comes from, and whether plain HTTP was chosen for it or for its registry.
CREATE INDEX repositories_by_upstream ON repositories (registry, upstream);
CREATE INDEX repositories_by_chosen_transport ON repositories (registry) WHERE insecure_chosen = 1;
