//! What only one vendor has: its tools, the state that it keeps, and fields that nobody else knows (§9.6, §11).

use super::*;

#[test]
fn tools_that_run_at_one_vendor_are_refused_or_dropped_as_configured() {
    let tool = json!({"type": "web_search_20260318", "name": "web_search"});
    let asked = || ask(Anthropic, json!({"tools": [tool]}));
    let refuse = || refused("tools[0]");
    asked().becomes([refuse(), refuse(), own(), refuse()]);
    let dropped = || tells("tools[0].web_search_20260318=dropped");
    asked().dropping_tools().becomes([dropped(), dropped(), own(), dropped()]);
    let asked = || ask(Responses, json!({"tools": [{"type": "web_search"}]}));
    let dropped = || tells("tools[0].web_search=dropped");
    asked().becomes([refuse(), own(), refuse(), refuse()]);
    asked().dropping_tools().becomes([dropped(), own(), dropped(), dropped()]);
    let asked = || ask(Gemini, json!({"tools": [{"googleSearch": {}}]}));
    let dropped = || tells("tools[0].googleSearch=dropped");
    asked().becomes([refuse(), refuse(), refuse(), own()]);
    asked().dropping_tools().becomes([dropped(), dropped(), dropped(), own()]);
}

#[test]
fn the_choice_of_a_dropped_tool_goes_with_it() {
    let function =
        json!({"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}});
    let fields = json!({"tools": [function, {"type": "web_search"}], "tool_choice": {"type": "web_search"}});
    let dropped =
        || tells("tool_choice=dropped, tools[1].web_search=dropped").and("/tool_choice", Value::Null);
    let asked = ask(Responses, fields).dropping_tools();
    asked.to(Chat, dropped()).to(Anthropic, dropped()).to(Gemini, dropped());
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}}, {"type": "web_search_20260318", "name": "web_search"}]);
    let fields = json!({"tools": tools, "tool_choice": {"type": "tool", "name": "web_search"}});
    let dropped = || {
        tells("tool_choice=dropped, tools[1].web_search_20260318=dropped").and("/tool_choice", Value::Null)
    };
    let asked = ask(Anthropic, fields).dropping_tools();
    asked.to(Chat, dropped()).to(Responses, dropped()).to(Gemini, dropped().and("/toolConfig", Value::Null));
}

#[test]
fn what_a_vendors_tool_did_goes_the_way_of_that_tool() {
    let did = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}});
    let said = json!({"type": "text", "text": "hello"});
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": [did, said]}, {"role": "user", "content": "so?"}]);
    let asked = || ask(Anthropic, json!({"messages": messages}));
    let refuse = || refused("messages[1]");
    asked().becomes([refuse(), refuse(), own(), refuse()]);
    let dropped = || tells("messages.server_tool_use=dropped");
    asked().dropping_tools().becomes([
        dropped().and("/messages/1/content", "hello"),
        dropped(),
        own(),
        dropped(),
    ]);
    let did = json!({"type": "web_search_call", "id": "ws_1", "status": "completed"});
    let input = json!([{"role": "user", "content": "hi"}, did, {"role": "user", "content": "so?"}]);
    let asked = ask(Responses, json!({"input": input})).dropping_tools();
    let dropped = || tells("input.web_search_call=dropped");
    asked.to(Chat, dropped()).to(Anthropic, dropped()).to(Gemini, dropped());
}

#[test]
fn parts_of_a_kind_that_nobody_knows_are_refused_however_tools_are_treated() {
    let part = json!({"type": "hologram", "data": "x"});
    let asked = ask(Anthropic, json!({"messages": [{"role": "user", "content": [part]}]})).dropping_tools();
    let refuse = || refused("messages[0]");
    asked.to(Chat, refuse()).to(Responses, refuse()).to(Gemini, refuse());
    let part = json!({"type": "hologram", "data": "x"});
    let asked = ask(Chat, json!({"messages": [{"role": "user", "content": [part]}]})).dropping_tools();
    asked.to(Responses, refused("messages[0]")).to(Anthropic, refused("messages[0]"));
}

#[test]
fn state_that_a_provider_keeps_is_refused_elsewhere() {
    let cases = [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("prompt", json!({"id": "pmpt_1"})),
        ("background", json!(true)),
    ];
    for (field, value) in cases {
        let need = || lacks(Need::ServerState, field);
        ask(Responses, json!({field: value})).becomes([need(), own(), need(), need()]);
    }
    let need = || lacks(Need::ServerState, "cachedContent");
    ask(Gemini, json!({"cachedContent": "cachedContents/1"})).becomes([need(), need(), need(), own()]);
    let need = || lacks(Need::ServerState, "container");
    ask(Anthropic, json!({"container": "c_1"})).becomes([need(), need(), own(), need()]);
    let need = || lacks(Need::ServerState, "input");
    let input = json!([{"role": "user", "content": "hi"}, {"type": "item_reference", "id": "msg_1"}]);
    ask(Responses, json!({"input": input})).becomes([need(), own(), need(), need()]);
}

#[test]
fn whether_an_answer_is_stored_is_no_loss() {
    for to in [Chat, Anthropic, Gemini] {
        ask(Responses, json!({"store": true, "background": false, "truncation": "disabled"})).to(to, own());
    }
    ask(Chat, json!({"store": true})).becomes([own(), has("/store", false), own(), own()]);
}

#[test]
fn how_a_history_is_cut_is_dropped_elsewhere() {
    let dropped = || warns("truncation=dropped");
    ask(Responses, json!({"truncation": "auto"})).becomes([dropped(), own(), dropped(), dropped()]);
    let dropped = || warns("context_management=dropped");
    ask(Anthropic, json!({"context_management": {"edits": []}})).becomes([
        dropped(),
        dropped(),
        own(),
        dropped(),
    ]);
}

#[test]
fn safety_settings_are_geminis_own() {
    let dropped = || warns("safetySettings=dropped");
    let setting = json!({"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"});
    ask(Gemini, json!({"safetySettings": [setting]})).becomes([dropped(), dropped(), dropped(), own()]);
    ask(Chat, json!({})).to(Gemini, without("/safetySettings"));
}

#[test]
fn fields_that_nobody_knows_are_dropped_elsewhere_and_kept_at_home() {
    for from in COLUMNS {
        for to in COLUMNS {
            let want = if from == to {
                has("/novelty", 1)
            } else {
                warns("novelty=dropped").and("/novelty", Value::Null)
            };
            ask(from, json!({"novelty": 1})).to(to, want);
        }
    }
    let tool = json!({"name": "f", "input_schema": {"type": "object"}, "novelty": 1});
    let dropped = || warns("tools.novelty=dropped");
    ask(Anthropic, json!({"tools": [tool]})).becomes([dropped(), dropped(), own(), dropped()]);
    let part = json!({"type": "text", "text": "hi", "novelty": 1});
    let dropped = || warns("messages.novelty=dropped");
    ask(Anthropic, json!({"messages": [{"role": "user", "content": [part]}]})).becomes([
        dropped(),
        dropped(),
        own(),
        dropped(),
    ]);
    let dropped = || warns("generationConfig.novelty=dropped");
    ask(Gemini, json!({"generationConfig": {"novelty": 1}})).becomes([
        dropped(),
        dropped(),
        dropped(),
        own(),
    ]);
}
