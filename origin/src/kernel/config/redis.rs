//! `[redis]`: one server, or the nodes of a cluster.

use redis::IntoConnectionInfo;
use redis::cluster::ClusterClient;
use secrecy::SecretString;

use super::reader::{Mistakes, Section};
use super::sections::Found;

/// `[redis]`: Redis or Valkey.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `url`: `redis://…`, or the environment's `REDIS_URL`. Required. Several, separated by commas, are nodes of a cluster.
    pub urls: Vec<SecretString>,
    /// Whether it is a cluster. True by default where there are several URLs, false for one.
    pub cluster: bool,
}

impl RedisConfig {
    pub(super) fn read((name, settings): Found, mistakes: &mut Mistakes) -> Option<Self> {
        let mut section = Section::new(name, settings, mistakes);
        let url = section.required_text("url", "or set REDIS_URL");
        let urls: Vec<&str> = url
            .iter()
            .flat_map(|urls| urls.split(','))
            .map(str::trim)
            .collect();
        if urls.iter().any(|&url| url.into_connection_info().is_err()) {
            section.mistake("url", "must be a URL that starts with redis://");
        } else if url.is_some() && ClusterClient::new(urls.iter().copied()).is_err() {
            section.mistake("url", "must name nodes that have one user, password and database");
        }
        let cluster = section.flag("cluster");
        if cluster == Some(false) && urls.len() > 1 {
            section.mistake("cluster", "must be true where redis.url names several nodes");
        }
        section.finish();
        (!urls.is_empty()).then(|| Self {
            cluster: cluster.unwrap_or(urls.len() > 1),
            urls: urls.into_iter().map(SecretString::from).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Config;
    use super::super::tests::with;

    fn redis(url: &str, cluster: Option<&str>) -> Result<(usize, bool), String> {
        let settings = BTreeMap::from([("REDIS_URL", Some(url)), ("PORTCULLIS__REDIS__CLUSTER", cluster)]);
        let settings: Vec<_> = settings
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let read = with(&settings).map(|Config { redis, .. }| (redis.urls.len(), redis.cluster));
        read.map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn several_urls_are_a_cluster_and_one_may_be() {
        let one = "redis://:hunter2@localhost";
        assert_eq!(redis(one, None), Ok((1, false)));
        assert_eq!(redis(one, Some("true")), Ok((1, true)));
        let two = "redis://:hunter2@one:6379, redis://:hunter2@two:6379";
        assert_eq!(redis(two, None), Ok((2, true)));
        assert_eq!(redis(two, Some("true")), Ok((2, true)));
    }

    #[test]
    fn nodes_that_cannot_be_one_cluster_are_a_mistake() {
        for (url, cluster, mistake) in [
            ("redis://one,", None, "must be a URL that starts with redis://"),
            (
                "redis://:hunter2@one,redis://:other@two",
                None,
                "one user, password and database",
            ),
            (
                "redis://one,redis://two",
                Some("false"),
                "must be true where redis.url names several nodes",
            ),
        ] {
            let mistakes = redis(url, cluster).unwrap_err();
            assert!(
                mistakes.contains(mistake) && !mistakes.contains("hunter2"),
                "{mistakes}"
            );
        }
    }
}
