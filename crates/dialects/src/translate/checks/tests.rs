use super::*;

const START: Event<'static> = Event::Start { id: None, model: None, created: None };
const OPEN: Event<'static> = Event::Open { choice: 0, block: 0, kind: BlockKind::Text };
const CLOSE: Event<'static> = Event::Close { choice: 0, block: 0 };
const FINISH: Event<'static> = Event::Finish { choice: 0, finish: Finish::End };

fn delta(text: &str) -> Event<'_> {
    Event::Delta { choice: 0, block: 0, text: text.into() }
}

#[test]
fn a_whole_answer_is_well_formed() {
    assert_eq!(walked(&[START, OPEN, delta("a"), CLOSE, FINISH, Event::End]), Ok(true));
    assert_eq!(walked(&[START, OPEN]), Ok(false));
}

#[test]
fn each_broken_guarantee_is_found() {
    let call = |id: &'static str| Event::Open {
        choice: 0,
        block: 0,
        kind: BlockKind::ToolCall { id: id.into(), name: "f".into(), free: false },
    };
    let cases: [(&[Event<'_>], &str); 12] = [
        (&[OPEN], "before Start"),
        (&[START, START], "second Start"),
        (&[START, delta("a")], "not open"),
        (&[START, OPEN, CLOSE, CLOSE], "not open"),
        (&[START, OPEN, delta("")], "empty"),
        (&[START, OPEN, CLOSE, OPEN], "next block is 1"),
        (&[START, call("")], "no id"),
        (&[START, OPEN, FINISH], "are open"),
        (&[START, FINISH, FINISH], "has finished"),
        (&[START, Event::End], "no choice"),
        (&[START, OPEN, CLOSE, Event::End], "not finished"),
        (&[START, FINISH, Event::End, START], "after End"),
    ];
    for (events, words) in cases {
        let complaint = walked(events).unwrap_err();
        assert!(complaint.contains(words), "{complaint}");
    }
}

#[test]
fn events_come_together_block_by_block() {
    let call = Event::Open {
        choice: 1,
        block: 0,
        kind: BlockKind::ToolCall { id: "c".into(), name: "f".into(), free: false },
    };
    let events = [
        START,
        call,
        OPEN,
        delta("a"),
        Event::Delta { choice: 1, block: 0, text: "{\"x\": ".into() },
        delta("b"),
        Event::Delta { choice: 1, block: 0, text: "1}".into() },
        Event::Close { choice: 1, block: 0 },
        Event::Finish { choice: 1, finish: Finish::ToolUse },
        CLOSE,
        FINISH,
        Event::End,
    ];
    assert_well_formed(&events);
    let reply = assembled(&events);
    assert_eq!(reply.choices[0].parts, [Part::text("ab")]);
    let PartKind::ToolCall(call) = &reply.choices[1].parts[0].kind else { panic!("{reply:?}") };
    assert_eq!(call.args, Args::Json("{\"x\":1}".into()));
    assert_eq!(reply.choices[1].finish, Finish::ToolUse);
}
