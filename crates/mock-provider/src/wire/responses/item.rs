//! Output items and their parts.

use crate::{
    answer::{Answer, Block},
    rope::RopeWriter,
    wire::signature::{On, sign},
};
use std::fmt::Write as _;

/// Gives the id of an item.
pub(super) fn id(answer: &Answer, index: usize) -> String {
    let prefix = match answer.blocks[index] {
        Block::Thought { .. } => "rs",
        Block::Text(_) | Block::Refusal(_) => "msg",
        Block::Call { .. } => "fc",
    };
    format!("{prefix}_{:016x}", answer.block_id(index))
}

/// Writes an output item: as it is announced, or as it ends.
pub(super) fn write(out: &mut RopeWriter, answer: &Answer, index: usize, done: bool) {
    let id = id(answer, index);
    let status = if done { "completed" } else { "in_progress" };
    match &answer.blocks[index] {
        Block::Text(_) | Block::Refusal(_) => {
            let _ = write!(out, r#"{{"type":"message","id":"{id}","status":"{status}","#);
            out.raw(r#""role":"assistant","content":["#);
            if done {
                part(out, answer, index, true);
            }
            out.raw("]}");
        }
        Block::Call { name, arguments } => {
            let call = answer.block_id(index);
            let _ = write!(out, r#"{{"type":"function_call","id":"{id}","call_id":"call_{call:016x}","#);
            out.raw(r#""name":""#).escaped(name).raw(r#"","arguments":""#);
            if done {
                out.piece(arguments.whole());
            }
            let _ = write!(out, r#"","status":"{status}"}}"#);
        }
        Block::Thought { shown, .. } => {
            let _ = write!(out, r#"{{"type":"reasoning","id":"{id}","summary":["#);
            if done && *shown {
                part(out, answer, index, true);
            }
            out.raw(r#"],"encrypted_content":"#);
            // Counts only once the item is done.
            match done {
                true => out.raw("\"").raw(&sign(On::Item, &id)).raw("\"}"),
                false => out.raw("null}"),
            };
        }
    }
}

/// Writes the one part of a message or of a summary.
pub(super) fn part(out: &mut RopeWriter, answer: &Answer, index: usize, done: bool) {
    let block = &answer.blocks[index];
    let (start, end) = match block {
        Block::Refusal(_) => (r#"{"type":"refusal","refusal":""#, r#""}"#),
        Block::Thought { .. } => (r#"{"type":"summary_text","text":""#, r#""}"#),
        Block::Text(_) | Block::Call { .. } => {
            (r#"{"type":"output_text","text":""#, r#"","annotations":[],"logprobs":[]}"#)
        }
    };
    out.raw(start);
    if done {
        out.piece(block.text().whole());
    }
    out.raw(end);
}
