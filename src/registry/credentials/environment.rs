//! The one place where the environment is read for credentials.
//!
//! Knows the variables of docker and podman, and which files they point to.

use std::ffi::OsString;
use std::path::PathBuf;

/// The variables that decide where credentials are; tests give their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `DOCKER_CONFIG`: the directory of docker's `config.json`.
    pub docker_config: Option<PathBuf>,
    /// `REGISTRY_AUTH_FILE`: podman's file, instead of all its other ones.
    pub registry_auth_file: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub xdg_runtime_dir: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `PATH`, where credential helpers are.
    pub path: Option<OsString>,
}

impl Environment {
    /// Reads the variables of this process.
    pub fn of_process() -> Self {
        let directory = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            docker_config: directory("DOCKER_CONFIG"),
            registry_auth_file: directory("REGISTRY_AUTH_FILE"),
            xdg_runtime_dir: directory("XDG_RUNTIME_DIR"),
            xdg_config_home: directory("XDG_CONFIG_HOME"),
            home: directory("HOME"),
            path: std::env::var_os("PATH"),
        }
    }

    /// The files in the order in which they are asked (containers-auth.json(5), then docker's).
    pub(super) fn credential_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        if let Some(file) = &self.registry_auth_file {
            files.push(file.clone());
        } else {
            files.extend(self.xdg_runtime_dir.iter().map(|dir| dir.join("containers/auth.json")));
            let config = self.xdg_config_home.clone().or_else(|| Some(self.home.as_ref()?.join(".config")));
            files.extend(config.map(|dir| dir.join("containers/auth.json")));
        }
        let docker = self.docker_config.clone().or_else(|| Some(self.home.as_ref()?.join(".docker")));
        files.extend(docker.map(|dir| dir.join("config.json")));
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_their_order() {
        let files = |environment: &Environment| -> Vec<String> {
            environment.credential_files().iter().map(|path| path.display().to_string()).collect()
        };
        let mut environment = Environment {
            home: Some("/home/x".into()),
            xdg_runtime_dir: Some("/run/user/1".into()),
            ..Environment::default()
        };
        assert_eq!(
            files(&environment),
            ["/run/user/1/containers/auth.json", "/home/x/.config/containers/auth.json", "/home/x/.docker/config.json"]
        );
        environment.docker_config = Some("/d".into());
        environment.registry_auth_file = Some("/a.json".into());
        assert_eq!(files(&environment), ["/a.json", "/d/config.json"]);
        assert!(files(&Environment::default()).is_empty());
    }
}
