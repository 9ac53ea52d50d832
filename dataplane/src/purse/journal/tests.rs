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

fn slot(journal: &Arc<Journal>, id: &BudgetId, period: i64) -> Slot {
    let Place::Written(slot) = journal.slot(id, WallTime(period)) else { panic!("nothing is written") };
    slot
}

#[test]
fn each_budget_and_period_has_a_place_of_its_own() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let journal = Journal::open(Arc::clone(&disk), FIRST).journal;
    for (ceiling, id) in (5..).zip(ids()) {
        slot(&journal, &id, 1).write(ceiling).unwrap();
        slot(&journal, &id, 2).write(100).unwrap();
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
    slot(&journal, &first, 1).give_up();
    let size = disk.read("leases.1").unwrap().unwrap().len();
    slot(&journal, &second, 1).write(3).unwrap();
    assert_eq!(disk.read("leases.1").unwrap().unwrap().len(), size);
    let claims = Journal::open(disk, SECOND).left.claims();
    assert_eq!(claims.iter().map(|claim| &claim.id).collect::<Vec<_>>(), [&second]);
}

#[test]
fn a_file_of_another_run_of_the_machine_is_not_believed() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let journal = Journal::open(Arc::clone(&disk), FIRST).journal;
    slot(&journal, &ids()[0], 1);
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
    slot(&journal, &first, 1);
    slot(&journal, &second, 1);
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
        slot(&journal, &ids()[0], 1);
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
    assert!(matches!(journal.slot(&long, WallTime(1)), Place::None));
    assert!(matches!(Journal::none().slot(&ids()[0], WallTime(1)), Place::None));
    assert!(journal.is_written());
}

#[test]
fn what_was_asked_for_and_not_heard_of_was_not_spent() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    Journal::open(Arc::clone(&disk), FIRST).journal.ask(&ids()[0]);
    let left = Journal::open(disk, SECOND).left;
    let claim = left.claims().pop().unwrap();
    assert_eq!((claim.holder, claim.period, claim.spent, claim.closing), (FIRST, None, 0, true));
    left.heard(&claim);
    assert!(left.is_empty());
}

#[test]
fn a_period_that_cannot_be_written_takes_the_file_away_that_would_say_it_was_not_spent() {
    let disk = Arc::new(MemoryDisk::default());
    let journal = Journal::open(disk.clone(), FIRST).journal;
    journal.ask(&ids()[0]);
    disk.fill(true);
    assert!(matches!(journal.slot(&ids()[0], WallTime(1)), Place::None));
    assert!(!journal.is_written());
    assert!(Journal::open(disk, SECOND).left.is_empty());
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
    slot(&opened.journal, &ids()[0], 1).write(9).unwrap();
    assert_eq!(Journal::open(disk, SECOND).left.claims()[0].spent, 9);
}
