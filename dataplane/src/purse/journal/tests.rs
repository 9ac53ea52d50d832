use super::*;
use cliproxy_domain::{LimitSubject, QuotaUnit};
use cliproxy_host::MemoryDisk;

const FIRST: Incarnation = Incarnation(1);
const SECOND: Incarnation = Incarnation(2);

fn ids() -> [BudgetId; 3] {
    let id = |subject, unit| BudgetId { subject, unit };
    [
        id(LimitSubject::Provider("claude".into()), QuotaUnit::Tokens),
        id(LimitSubject::Credential("claude".into(), "main".into()), QuotaUnit::Requests),
        id(LimitSubject::Client("ci".into()), QuotaUnit::Usd),
    ]
}

#[test]
fn each_budget_and_period_has_a_place_of_its_own() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let journal = Journal::open(Arc::clone(&disk), FIRST).journal;
    for (ceiling, id) in (5..).zip(ids()) {
        journal.slot(&id, WallTime(1)).unwrap().write(ceiling).unwrap();
        journal.slot(&id, WallTime(2)).unwrap().write(100).unwrap();
    }
    let claims = Journal::open(disk, SECOND).left.claims();
    let spent = |id: &BudgetId, period| {
        claims.iter().find(|claim| claim.id == *id && claim.period == Some(WallTime(period))).unwrap().spent
    };
    let found: Vec<_> = ids().iter().map(|id| (spent(id, 1), spent(id, 2))).collect();
    assert_eq!(found, [(5, 100), (6, 100), (7, 100)]);
}

#[test]
fn a_place_that_was_given_up_is_found_no_more_and_used_again() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let journal = Journal::open(Arc::clone(&disk), FIRST).journal;
    let [first, second, _] = ids();
    journal.slot(&first, WallTime(1)).unwrap().give_up();
    let size = disk.read("leases.1").unwrap().unwrap().len();
    journal.slot(&second, WallTime(1)).unwrap().write(3).unwrap();
    assert_eq!(disk.read("leases.1").unwrap().unwrap().len(), size);
    let claims = Journal::open(disk, SECOND).left.claims();
    assert_eq!(claims.iter().map(|claim| &claim.id).collect::<Vec<_>>(), [&second]);
}

#[test]
fn a_file_of_another_run_of_the_machine_is_not_believed() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let journal = Journal::open(Arc::clone(&disk), FIRST).journal;
    journal.slot(&ids()[0], WallTime(1)).unwrap();
    disk.pages("leases.1").unwrap();
    let before = disk.read("leases.1").unwrap().unwrap();
    disk.write("leases.1", &[record::head("another").unwrap().to_vec(), before].concat()).unwrap();
    let opened = Journal::open(Arc::clone(&disk), SECOND);
    assert_eq!((opened.left.is_empty(), opened.disbelieved), (true, 1));
    assert_eq!(disk.list().unwrap(), ["leases.2"]);
}

#[test]
fn a_torn_place_says_nothing_and_the_others_are_found() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let journal = Journal::open(Arc::clone(&disk), FIRST).journal;
    let [first, second, _] = ids();
    journal.slot(&first, WallTime(1)).unwrap();
    journal.slot(&second, WallTime(1)).unwrap();
    let mut content = disk.read("leases.1").unwrap().unwrap();
    content[PLACE + 3] ^= 1;
    disk.write("leases.1", &content).unwrap();
    let claims = Journal::open(disk, SECOND).left.claims();
    assert_eq!(claims.iter().map(|claim| &claim.id).collect::<Vec<_>>(), [&second]);
}

#[test]
fn what_two_processes_left_is_heard_one_by_one() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    for process in [FIRST, SECOND] {
        let journal = Journal::open(Arc::clone(&disk), process).journal;
        journal.slot(&ids()[0], WallTime(1)).unwrap();
    }
    let left = Journal::open(Arc::clone(&disk), Incarnation(3)).left;
    let claims = left.claims();
    assert_eq!(claims.len(), 2);
    left.heard(&claims[0]);
    assert_eq!(left.claims(), claims[1..]);
    assert_eq!(disk.list().unwrap(), ["leases.2", "leases.3"]);
}

#[test]
fn names_that_fill_no_place_are_not_written() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let journal = Journal::open(disk, FIRST).journal;
    let long =
        BudgetId { subject: LimitSubject::Client("x".repeat(PLACE).as_str().into()), ..ids()[0].clone() };
    assert!(journal.slot(&long, WallTime(1)).is_none());
    assert!(Journal::none().slot(&ids()[0], WallTime(1)).is_none());
}

#[test]
fn a_real_disk_keeps_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(cliproxy_host::SystemDisk::new(folder.path()));
    let opened = Journal::open(Arc::clone(&disk), FIRST);
    if disk.boot().is_none() {
        assert!(opened.unwritten.is_some());
        return;
    }
    opened.journal.slot(&ids()[0], WallTime(1)).unwrap().write(9).unwrap();
    assert_eq!(Journal::open(disk, SECOND).left.claims()[0].spent, 9);
}
