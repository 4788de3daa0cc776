//! The hosted DNS providers by name, and what each wants to see before it lets anybody change a record.
//!
//! Knows their names and the order of their secrets; must not know records.

use std::time::Duration;

use roadstead_dns::DnsUpdater;
use roadstead_dns::providers::ovh::OvhEndpoint;
use roadstead_dns::providers::route53::Route53Config;

use crate::error::{Error, Kind, Result};
use crate::text::{nearest, printable_within};

/// How long one request may take.
const REQUEST_TIMEOUT: Option<Duration> = Some(Duration::from_secs(30));

type Made = roadstead_dns::Result<DnsUpdater>;

pub(super) struct Host {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What it wants, in this order.
    fields: &'static [&'static str],
    /// How many of them may be left out, from the end.
    optional: usize,
    make: fn(&[&str]) -> Made,
}

const TOKEN: &[&str] = &["TOKEN"];
const PAIR: &[&str] = &["KEY", "SECRET"];
const USER: &[&str] = &["USER", "TOKEN"];

const fn host(
    name: &'static str,
    title: &'static str,
    fields: &'static [&'static str],
    make: fn(&[&str]) -> Made,
) -> Host {
    Host { name, title, fields, optional: 0, make }
}

fn ovh(values: &[&str]) -> Made {
    let endpoint = values.get(3).map_or(Ok(OvhEndpoint::OvhEu), |text| text.parse())?;
    DnsUpdater::new_ovh(values[0], values[1], values[2], endpoint, REQUEST_TIMEOUT)
}

fn route53(values: &[&str]) -> Made {
    DnsUpdater::new_route53(Route53Config {
        access_key_id: values[0].to_owned(),
        secret_access_key: values[1].to_owned(),
        session_token: None,
        region: None,
        hosted_zone_id: values.get(2).map(|id| (*id).to_owned()),
        private_zone_only: Some(false),
        endpoint: None,
    })
}

fn powerdns(values: &[&str]) -> Made {
    DnsUpdater::new_pdns(values[0], values.get(1), None::<&str>, REQUEST_TIMEOUT)
}

/// All of them, by name.
pub(super) static HOSTS: &[Host] = &[
    host("arvancloud", "ArvanCloud", TOKEN, |v| DnsUpdater::new_arvancloud(v[0], REQUEST_TIMEOUT)),
    host("bunny", "bunny.net", TOKEN, |v| DnsUpdater::new_bunny(v[0], REQUEST_TIMEOUT)),
    host("cloudflare", "Cloudflare", TOKEN, |v| DnsUpdater::new_cloudflare(v[0], REQUEST_TIMEOUT)),
    host("constellix", "Constellix", PAIR, |v| DnsUpdater::new_constellix(v[0], v[1], REQUEST_TIMEOUT)),
    host("desec", "deSEC", TOKEN, |v| DnsUpdater::new_desec(v[0], REQUEST_TIMEOUT)),
    host("digitalocean", "DigitalOcean", TOKEN, |v| DnsUpdater::new_digitalocean(v[0], REQUEST_TIMEOUT)),
    host("dnsimple", "DNSimple", &["TOKEN", "ACCOUNT"], |v| DnsUpdater::new_dnsimple(v[0], v[1], REQUEST_TIMEOUT)),
    host("dnsmadeeasy", "DNS Made Easy", PAIR, |v| DnsUpdater::new_dnsmadeeasy(v[0], v[1], REQUEST_TIMEOUT)),
    host("domeneshop", "Domeneshop", &["TOKEN", "SECRET"], |v| DnsUpdater::new_domeneshop(v[0], v[1], REQUEST_TIMEOUT)),
    host("gandi", "Gandi LiveDNS", TOKEN, |v| DnsUpdater::new_gandiv5(v[0], REQUEST_TIMEOUT)),
    host("gcore", "Gcore", TOKEN, |v| DnsUpdater::new_gcore(v[0], REQUEST_TIMEOUT)),
    host("godaddy", "GoDaddy", PAIR, |v| DnsUpdater::new_godaddy(v[0], v[1], REQUEST_TIMEOUT)),
    host("hetzner", "Hetzner", TOKEN, |v| DnsUpdater::new_hetzner(v[0], REQUEST_TIMEOUT)),
    host("hostinger", "Hostinger", TOKEN, |v| DnsUpdater::new_hostinger(v[0], REQUEST_TIMEOUT)),
    host("infomaniak", "Infomaniak", TOKEN, |v| DnsUpdater::new_infomaniak(v[0], REQUEST_TIMEOUT)),
    host("inwx", "INWX", &["USER", "PASSWORD"], |v| DnsUpdater::new_inwx(v[0], v[1], false, REQUEST_TIMEOUT)),
    host("ionos", "IONOS", TOKEN, |v| DnsUpdater::new_ionos(v[0], REQUEST_TIMEOUT)),
    host("linode", "Linode", TOKEN, |v| DnsUpdater::new_linode(v[0], REQUEST_TIMEOUT)),
    host("luadns", "LuaDNS", USER, |v| DnsUpdater::new_luadns(v[0], v[1], REQUEST_TIMEOUT)),
    host("mythicbeasts", "Mythic Beasts", PAIR, |v| DnsUpdater::new_mythicbeasts(v[0], v[1], REQUEST_TIMEOUT)),
    host("namecom", "Name.com", USER, |v| DnsUpdater::new_namedotcom(v[0], v[1], REQUEST_TIMEOUT)),
    host("netcup", "netcup", &["CUSTOMER", "KEY", "PASSWORD"], |v| {
        DnsUpdater::new_netcup(v[0], v[1], v[2], REQUEST_TIMEOUT)
    }),
    host("netlify", "Netlify", TOKEN, |v| DnsUpdater::new_netlify(v[0], REQUEST_TIMEOUT)),
    host("ns1", "NS1", TOKEN, |v| DnsUpdater::new_ns1(v[0], REQUEST_TIMEOUT)),
    Host {
        name: "ovh",
        title: "OVHcloud",
        fields: &["APPLICATION-KEY", "APPLICATION-SECRET", "CONSUMER-KEY", "ENDPOINT"],
        optional: 1,
        make: ovh,
    },
    host("porkbun", "Porkbun", PAIR, |v| DnsUpdater::new_porkbun(v[0], v[1], REQUEST_TIMEOUT)),
    Host { name: "powerdns", title: "PowerDNS", fields: &["KEY", "URL"], optional: 1, make: powerdns },
    Host {
        name: "route53",
        title: "Amazon Route 53",
        fields: &["ACCESS-KEY-ID", "SECRET-ACCESS-KEY", "HOSTED-ZONE-ID"],
        optional: 1,
        make: route53,
    },
    host("scaleway", "Scaleway", TOKEN, |v| DnsUpdater::new_scaleway(v[0], REQUEST_TIMEOUT)),
    host("simply", "Simply.com", &["ACCOUNT", "KEY"], |v| DnsUpdater::new_simplycom(v[0], v[1], REQUEST_TIMEOUT)),
    host("vultr", "Vultr", TOKEN, |v| DnsUpdater::new_vultr(v[0], REQUEST_TIMEOUT)),
];

impl Host {
    /// The provider of this name; what it is refused with names all of them.
    pub(super) fn named(name: &str) -> Result<&'static Self> {
        let wanted = name.to_ascii_lowercase();
        if let Some(found) = HOSTS.iter().find(|host| host.name == wanted) {
            return Ok(found);
        }
        let names: Vec<&str> = HOSTS.iter().map(|host| host.name).collect();
        let error = Error::new(Kind::Usage, format!("`{}` is not a known DNS provider", printable_within(name, 80)));
        let error = match nearest(&wanted, names.iter().copied()) {
            Some(meant) => error.hint(format!("Did you mean `{meant}`?")),
            None => error,
        };
        Err(error.hint(format!(
            "The providers are {}; `--dns rfc2136` is for your own server, and `--dns manual` works everywhere.",
            names.join(", ")
        )))
    }

    /// Takes a secret apart: its values are separated by colons, of which the last value may hold some.
    pub(super) fn values(&self, secret: &str) -> Result<Vec<String>> {
        let values: Vec<String> =
            secret.trim().splitn(self.fields.len(), ':').map(|value| value.trim().to_owned()).collect();
        let least = self.fields.len() - self.optional;
        // A header can't hold it, and the library would leave it out without a word.
        let odd = values.iter().any(|value| value.is_empty() || value.chars().any(char::is_control));
        if values.len() >= least && !odd {
            return Ok(values);
        }
        let shape: Vec<String> = self
            .fields
            .iter()
            .enumerate()
            .map(|(number, field)| match (number >= least, number) {
                (true, _) => format!("[:{field}]"),
                (false, 0) => (*field).to_owned(),
                (false, _) => format!(":{field}"),
            })
            .collect();
        Err(Error::new(Kind::Auth, format!("the secret for {} has the wrong format", self.title))
            .hint(format!("Write `{}` into its file, in one line.", shape.concat())))
    }

    /// A client for it, from as many values as it wants.
    pub(super) fn connect(&self, values: &[String]) -> Made {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        (self.make)(&values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_can_be_made_from_its_shape() {
        assert!(HOSTS.is_sorted_by_key(|host| host.name));
        for host in HOSTS {
            for left_out in 0..=host.optional {
                let fields = &host.fields[..host.fields.len() - left_out];
                let secret: Vec<&str> =
                    fields.iter().map(|field| if *field == "ENDPOINT" { "ovh-ca" } else { "secret" }).collect();
                let values = host.values(&format!(" {}\n", secret.join(":"))).unwrap();
                assert!(host.connect(&values).is_ok(), "{}", host.name);
            }
            for wrong in ["", "a\u{7}"] {
                assert_eq!(host.values(wrong).unwrap_err().kind(), Kind::Auth, "{}", host.name);
            }
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_list() {
        let error = Host::named("cloudfare").map(|host| host.name).unwrap_err();
        assert_eq!(error.hints()[0], "Did you mean `cloudflare`?");
        assert!(error.hints()[1].contains("digitalocean, dnsimple"), "{error:?}");
        assert_eq!(Host::named("OVH").unwrap().title, "OVHcloud");
    }
}
