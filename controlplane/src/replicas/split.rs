//! Posts of a bounded size.

use cliproxy_domain::{Hint, NodeId, ProbeReport, UrgentEvent, WallTime};
use cliproxy_proto::convert::replica::{HeardTraffic, HeldElsewhere, Post, SeenNode, WindowSums, to_bytes};

/// The largest post, in bytes.
const LARGEST: usize = 1 << 20;
/// How many rows of usage stay together.
const ROWS: usize = 500;

/// One thing that a post says.
enum Part {
    Node(SeenNode),
    Gone((NodeId, WallTime)),
    Event((UrgentEvent, WallTime)),
    Usage(WindowSums),
    Traffic(HeardTraffic),
    Probe((ProbeReport, WallTime)),
    Passing(Hint),
    Recall(HeldElsewhere),
}

/// Encodes a post as posts of at most 1 MiB, in order, numbered from the post's number on. What alone is larger is left
/// out. Only the first of several has a whole list of nodes; the others add to it.
pub(super) fn encoded(post: Post, now: WallTime) -> Vec<Vec<u8>> {
    within(post, now, LARGEST)
}

fn within(post: Post, now: WallTime, largest: usize) -> Vec<Vec<u8>> {
    let bytes = to_bytes(&post, now);
    if bytes.len() <= largest {
        return vec![bytes];
    }
    let (first, parts) = taken_apart(post);
    let mut next = Post { whole: false, joined: false, resigned: false, ..first.clone() };
    let empty = to_bytes(&first, now).len();
    let (mut done, mut current, mut size) = (Vec::new(), first, empty);
    for part in parts {
        let mut alone = Post::default();
        part.put(&mut alone);
        let adds = to_bytes(&alone, now).len();
        if empty + adds > largest {
            tracing::warn!(bytes = adds, "something is too large for a post to the other replicas");
            continue;
        }
        if size + adds > largest {
            next.number += 1;
            done.push(to_bytes(&std::mem::replace(&mut current, next.clone()), now));
            size = empty;
        }
        join(&mut current, alone);
        size += adds;
    }
    done.push(to_bytes(&current, now));
    done
}

/// Gives what a post says of its sender, and all else in parts.
fn taken_apart(mut post: Post) -> (Post, Vec<Part>) {
    let mut parts: Vec<Part> = std::mem::take(&mut post.nodes).into_iter().map(Part::Node).collect();
    parts.extend(std::mem::take(&mut post.gone).into_iter().map(Part::Gone));
    parts.extend(std::mem::take(&mut post.events).into_iter().map(Part::Event));
    for WindowSums { minute, end, rows } in std::mem::take(&mut post.usage) {
        let sums = |rows: &[_]| Part::Usage(WindowSums { minute, end, rows: rows.to_vec() });
        parts.extend(rows.chunks(ROWS).map(sums));
    }
    parts.extend(std::mem::take(&mut post.traffic).into_iter().map(Part::Traffic));
    parts.extend(std::mem::take(&mut post.probes).into_iter().map(Part::Probe));
    parts.extend(std::mem::take(&mut post.passing).into_iter().map(Part::Passing));
    parts.extend(std::mem::take(&mut post.recalls).into_iter().map(Part::Recall));
    (post, parts)
}

impl Part {
    fn put(self, post: &mut Post) {
        match self {
            Part::Node(seen) => post.nodes.push(seen),
            Part::Gone(gone) => post.gone.push(gone),
            Part::Event(event) => post.events.push(event),
            Part::Usage(sums) => post.usage.push(sums),
            Part::Traffic(heard) => post.traffic.push(heard),
            Part::Probe(probe) => post.probes.push(probe),
            Part::Passing(hint) => post.passing.push(hint),
            Part::Recall(held) => post.recalls.push(held),
        }
    }
}

fn join(post: &mut Post, other: Post) {
    post.nodes.extend(other.nodes);
    post.gone.extend(other.gone);
    post.events.extend(other.events);
    post.usage.extend(other.usage);
    post.traffic.extend(other.traffic);
    post.probes.extend(other.probes);
    post.passing.extend(other.passing);
    post.recalls.extend(other.recalls);
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_proto::convert::replica::from_bytes;

    const NOW: WallTime = WallTime(1_771_541_400_000);

    fn gone(count: usize) -> Post {
        let gone = (0..count).map(|i| (NodeId::from(format!("node-{i}")), NOW)).collect();
        Post { name: "cp-1".into(), whole: true, joined: true, gone, number: 7, ..Post::default() }
    }

    fn read(bytes: &[u8]) -> Post {
        from_bytes(bytes, NOW, |odd| panic!("{odd}")).unwrap()
    }

    #[test]
    fn a_post_that_is_too_large_goes_as_several_that_say_all_of_it_once() {
        let parts = within(gone(500), NOW, 1_000);
        assert!(parts.len() > 5 && parts.iter().all(|part| part.len() <= 1_000), "{}", parts.len());
        let posts: Vec<Post> = parts.iter().map(|part| read(part)).collect();
        let all: Vec<_> = posts.iter().flat_map(|post| post.gone.clone()).collect();
        assert_eq!(all, gone(500).gone);
        assert!(posts[0].whole && posts[0].joined);
        assert!(posts.iter().zip(7..).all(|(post, number)| post.number == number));
        assert!(posts[1..].iter().all(|post| !post.whole && !post.joined && post.name == "cp-1"));
    }

    #[test]
    fn what_alone_is_too_large_is_left_out() {
        let mut post = gone(3);
        post.gone[1].0 = "x".repeat(2_000).into();
        let parts = within(post, NOW, 1_000);
        assert_eq!(parts.len(), 1);
        assert_eq!(read(&parts[0]).gone.len(), 2);
    }
}
