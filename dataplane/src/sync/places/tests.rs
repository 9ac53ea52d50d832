use super::*;
use cliproxy_host::{Connection, Listener, net::NetFuture};
use std::{collections::BTreeSet, io, net::SocketAddr};

/// A network that knows names and nothing else.
#[derive(Default)]
struct Names(Mutex<BTreeMap<&'static str, Vec<IpAddr>>>);

impl Names {
    fn say(&self, name: &'static str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.0.lock().insert(name, addresses);
    }
}

impl Net for Names {
    fn connect<'a>(&'a self, _: &'a str, _: u16) -> NetFuture<'a, Connection> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn listen(&self, _: SocketAddr) -> NetFuture<'_, Box<dyn Listener>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn resolve<'a>(&'a self, host: &'a str) -> NetFuture<'a, Vec<IpAddr>> {
        let known = self.0.lock().get(host).cloned();
        Box::pin(async move { known.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

fn places(configured: &[&str]) -> (Places, Arc<Names>) {
    let net = Arc::new(Names::default());
    let configured = configured.iter().map(|place| (*place).to_owned()).collect();
    (Places::new("node-1".into(), configured, net.clone()), net)
}

fn set(places: Vec<String>) -> BTreeSet<String> {
    places.into_iter().collect()
}

fn names(places: &[&str]) -> BTreeSet<String> {
    places.iter().map(|place| (*place).to_owned()).collect()
}

#[tokio::test]
async fn a_name_that_stands_for_several_addresses_is_all_of_them_and_is_looked_up_again() {
    let (places, net) = places(&["http://replicas:8319"]);
    net.say("replicas", &["10.0.0.1", "fd00::2"]);
    places.resolve_first().await;
    assert_eq!(set(places.all()), names(&["http://10.0.0.1:8319", "http://[fd00::2]:8319"]));
    net.say("replicas", &["10.0.0.1", "10.0.0.3"]);
    places.resolve().await;
    places.changed().await;
    assert_eq!(set(places.all()), names(&["http://10.0.0.1:8319", "http://10.0.0.3:8319"]));
}

#[tokio::test]
async fn a_name_of_one_address_and_a_name_that_does_not_resolve_are_connected_to_as_they_are() {
    let (places, net) = places(&["http://one:8319", "http://none:8319"]);
    net.say("one", &["10.0.0.1"]);
    places.resolve_first().await;
    assert_eq!(set(places.all()), names(&["http://one:8319", "http://none:8319"]));
}

#[tokio::test]
async fn what_was_found_before_holds_while_names_do_not_resolve() {
    let (places, net) = places(&["http://replicas:8319"]);
    net.say("replicas", &["10.0.0.1", "10.0.0.2"]);
    places.resolve().await;
    net.0.lock().clear();
    places.resolve().await;
    assert_eq!(places.all().len(), 2);
}

#[test]
fn nodes_spread_over_the_replicas() {
    let configured = ["http://a:1", "http://b:1", "http://c:1"].map(str::to_owned).to_vec();
    let mut first = BTreeMap::<String, u32>::new();
    for n in 0..300 {
        let node = NodeId::from(format!("node-{n}"));
        let places = Places::new(node, configured.clone(), Arc::new(Names::default()));
        *first.entry(places.all()[0].clone()).or_default() += 1;
    }
    assert!(first.len() == 3 && first.values().all(|nodes| (70..130).contains(nodes)), "{first:?}");
}

#[test]
fn replicas_that_are_told_of_come_after_those_that_are_configured() {
    let (places, _) = places(&["http://a:1"]);
    places.learn(vec!["http://b:1".into(), "http://a:1".into(), "not a place".into()]);
    assert_eq!(places.all(), ["http://a:1", "http://b:1"]);
    places.learn(vec!["http://c:1".into()]);
    assert_eq!(places.all(), ["http://a:1", "http://c:1"]);
}

#[test]
fn nobody_can_tell_the_node_to_go_where_it_would_be_less_safe() {
    let accepts = |configured: &[&str], place: &str| places(configured).0.accepts(place);
    let (safe, far, here) = ("https://cp-2:8319", "http://cp-2:8319", "http://127.0.0.1:8320");
    assert!(accepts(&["https://cp-1:8319"], safe));
    assert!(!accepts(&["https://cp-1:8319"], far) && !accepts(&["https://cp-1:8319"], here));
    assert!(accepts(&["http://cp-1:8319"], far) && accepts(&["http://cp-1:8319"], here));
    assert!(accepts(&["http://localhost:8319"], here) && accepts(&["http://[::1]:8319"], here));
    assert!(!accepts(&["http://127.0.0.1:8319"], far), "plain text stays on this machine");
    assert!(!accepts(&["http://127.0.0.1:8319"], safe), "the node has no certificate");
}
