//! Parameters beside messages and tools (§9.1).

use super::*;

#[test]
fn several_answers_are_asked_for_where_there_can_be_several() {
    let need = || lacks(Need::Choices, "n");
    ask(Chat, json!({"n": 2})).becomes([own(), need(), need(), has("/generationConfig/candidateCount", 2)]);
    let need = || lacks(Need::Choices, "generationConfig.candidateCount");
    let two = json!({"generationConfig": {"candidateCount": 2}});
    ask(Gemini, two).becomes([has("/n", 2), need(), need(), own()]);
    let one = || without("/n");
    ask(Chat, json!({"n": 1})).to(Anthropic, one()).to(Responses, one());
}

#[test]
fn log_probabilities_are_refused_where_there_are_none() {
    ask(Chat, json!({"logprobs": true, "top_logprobs": 2})).becomes([
        own(),
        has("/top_logprobs", 2).and("/include/1", "message.output_text.logprobs"),
        lacks(Need::Logprobs, "logprobs"),
        has("/generationConfig/responseLogprobs", true).and("/generationConfig/logprobs", 2),
    ]);
    ask(Gemini, json!({"generationConfig": {"responseLogprobs": true, "logprobs": 3}})).becomes([
        has("/logprobs", true).and("/top_logprobs", 3),
        has("/top_logprobs", 3).and("/include/1", "message.output_text.logprobs"),
        lacks(Need::Logprobs, "generationConfig.responseLogprobs"),
        own(),
    ]);
    ask(Responses, json!({"top_logprobs": 2, "include": ["message.output_text.logprobs"]})).becomes([
        has("/logprobs", true).and("/top_logprobs", 2),
        own(),
        lacks(Need::Logprobs, "top_logprobs"),
        has("/generationConfig/responseLogprobs", true).and("/generationConfig/logprobs", 2),
    ]);
}

#[test]
fn no_alternatives_are_no_loss_of_meaning() {
    ask(Chat, json!({"top_logprobs": 0})).to(Anthropic, warns("top_logprobs=dropped"));
}

#[test]
fn what_only_chat_knows_is_dropped_elsewhere() {
    for (fields, header) in [
        (json!({"logit_bias": {"50256": -100}}), "logit_bias=dropped"),
        (json!({"prediction": {"type": "content", "content": "x"}}), "prediction=dropped"),
        (json!({"moderation": {"model": "omni"}}), "moderation=dropped"),
    ] {
        ask(Chat, fields).becomes([own(), warns(header), warns(header), warns(header)]);
    }
    let blocking = json!({"moderation": {"model": "omni", "policy": "block"}});
    let refuse = || refused("moderation");
    ask(Chat, blocking).becomes([own(), refuse(), refuse(), refuse()]);
}

#[test]
fn penalties_and_seeds_are_dropped_where_there_are_none() {
    let asked = json!({"presence_penalty": 0.5, "frequency_penalty": 0.25, "seed": 7});
    let dropped = || warns("presence_penalty=dropped, frequency_penalty=dropped, seed=dropped");
    ask(Chat, asked).becomes([
        own(),
        dropped(),
        dropped(),
        has("/generationConfig/presencePenalty", 0.5)
            .and("/generationConfig/frequencyPenalty", 0.25)
            .and("/generationConfig/seed", 7),
    ]);
    let asked = json!({"generationConfig": {"presencePenalty": 0.5, "frequencyPenalty": 0.25, "seed": 7}});
    let dropped = || {
        warns(
            "generationConfig.presencePenalty=dropped, generationConfig.frequencyPenalty=dropped, generationConfig.seed=dropped",
        )
    };
    ask(Gemini, asked).becomes([
        has("/presence_penalty", 0.5).and("/frequency_penalty", 0.25).and("/seed", 7),
        dropped(),
        dropped(),
        own(),
    ]);
    ask(Chat, json!({"seed": 1_u64 << 40})).to(Gemini, warns("seed=dropped"));
}

#[test]
fn a_temperature_above_one_is_clamped_for_anthropic() {
    ask(Chat, json!({"temperature": 1.5})).becomes([
        own(),
        has("/temperature", 1.5),
        warns("temperature=clamped").and("/temperature", 1),
        has("/generationConfig/temperature", 1.5),
    ]);
    let hot = json!({"generationConfig": {"temperature": 2}});
    ask(Gemini, hot).to(Anthropic, warns("generationConfig.temperature=clamped").and("/temperature", 1));
}

#[test]
fn top_k_is_dropped_by_openai() {
    ask(Anthropic, json!({"top_k": 5, "top_p": 0.5})).becomes([
        warns("top_k=dropped").and("/top_p", 0.5),
        warns("top_k=dropped").and("/top_p", 0.5),
        own(),
        has("/generationConfig/topK", 5).and("/generationConfig/topP", 0.5),
    ]);
    let dropped = || warns("generationConfig.topK=dropped");
    let asked = json!({"generationConfig": {"topK": 5}});
    ask(Gemini, asked).becomes([dropped(), dropped(), has("/top_k", 5), own()]);
}

#[test]
fn sampling_is_dropped_by_models_that_take_none() {
    let traits = || ModelTraits { sampling: false, ..ModelTraits::default() };
    let dropped = || warns("temperature=dropped, top_p=dropped").and("/temperature", Value::Null);
    let asked = || json!({"temperature": 0.5, "top_p": 0.5});
    for from in [Chat, Responses, Anthropic] {
        for to in COLUMNS.into_iter().filter(|to| *to != from) {
            ask(from, asked()).of(traits()).to(to, dropped());
        }
    }
    let asked = json!({"generationConfig": {"temperature": 0.5, "topP": 0.5}});
    let dropped = || warns("generationConfig.temperature=dropped, generationConfig.topP=dropped");
    ask(Gemini, asked).of(traits()).becomes([dropped(), dropped(), dropped(), own()]);
}

#[test]
fn stop_texts_are_told_watched_for_or_refused_where_there_are_too_many() {
    ask(Chat, json!({"stop": ["a", "b"]})).becomes([
        own(),
        warns("stop=emulated"),
        has("/stop_sequences", json!(["a", "b"])),
        has("/generationConfig/stopSequences", json!(["a", "b"])),
    ]);
    ask(Anthropic, json!({"stop_sequences": ["a", "b", "c", "d", "e", "f"]})).becomes([
        refused("stop_sequences"),
        warns("stop_sequences=emulated"),
        own(),
        refused("stop_sequences"),
    ]);
    let five = json!({"generationConfig": {"stopSequences": ["a", "b", "c", "d", "e"]}});
    ask(Gemini, five).becomes([
        refused("generationConfig.stopSequences"),
        warns("generationConfig.stopSequences=emulated"),
        has("/stop_sequences/4", "e"),
        own(),
    ]);
    let blank = json!({"stop": [" \n", "END"]});
    ask(Chat, blank).to(Anthropic, warns("stop=dropped").and("/stop_sequences", json!(["END"])));
}

#[test]
fn the_limit_of_tokens_has_a_name_a_least_and_a_default() {
    ask(Chat, json!({"max_completion_tokens": 9})).becomes([
        own(),
        warns("max_completion_tokens=raised").and("/max_output_tokens", 16),
        has("/max_tokens", 9),
        has("/generationConfig/maxOutputTokens", 9),
    ]);
    ask(Anthropic, json!({"max_tokens": 9})).to(Responses, warns("max_tokens=raised"));
    let asked = json!({"generationConfig": {"maxOutputTokens": 9}});
    ask(Gemini, asked).to(Responses, warns("generationConfig.maxOutputTokens=raised"));
    ask(Responses, json!({"max_output_tokens": 99})).to(Chat, has("/max_completion_tokens", 99));
    ask(Chat, json!({})).becomes([
        own(),
        without("/max_output_tokens"),
        has("/max_tokens", 32_000),
        without("/generationConfig"),
    ]);
    let small = ModelTraits { max_output: Some(8_000), ..ModelTraits::default() };
    ask(Chat, json!({})).of(small).to(Anthropic, has("/max_tokens", 8_000));
}

#[test]
fn how_wordy_to_be_is_said_within_openai() {
    ask(Chat, json!({"verbosity": "low"})).becomes([
        own(),
        has("/text/verbosity", "low"),
        warns("verbosity=dropped"),
        warns("verbosity=dropped"),
    ]);
    let dropped = || warns("text.verbosity=dropped");
    let asked = json!({"text": {"verbosity": "low"}});
    ask(Responses, asked).becomes([has("/verbosity", "low"), own(), dropped(), dropped()]);
}

#[test]
fn who_asks_is_told_to_all_but_gemini() {
    ask(Chat, json!({"safety_identifier": "u"})).becomes([
        own(),
        has("/safety_identifier", "u"),
        has("/metadata/user_id", "u"),
        warns("safety_identifier=dropped"),
    ]);
    ask(Chat, json!({"user": "u"})).becomes([
        has("/user", "u"),
        has("/safety_identifier", "u"),
        has("/metadata/user_id", "u"),
        warns("user=dropped"),
    ]);
    ask(Anthropic, json!({"metadata": {"user_id": "u"}})).becomes([
        has("/safety_identifier", "u"),
        has("/safety_identifier", "u"),
        own(),
        warns("metadata.user_id=dropped"),
    ]);
}

#[test]
fn metadata_and_cache_keys_stay_within_openai() {
    ask(Chat, json!({"metadata": {"a": "b"}})).becomes([
        own(),
        has("/metadata/a", "b"),
        warns("metadata=dropped"),
        warns("metadata=dropped"),
    ]);
    ask(Responses, json!({"prompt_cache_key": "k"})).becomes([
        has("/prompt_cache_key", "k"),
        own(),
        without("/prompt_cache_key"),
        without("/prompt_cache_key"),
    ]);
}

#[test]
fn service_tiers_are_told_in_the_words_of_the_target() {
    ask(Chat, json!({"service_tier": "default"})).becomes([
        own(),
        has("/service_tier", "default"),
        has("/service_tier", "standard_only"),
        has("/serviceTier", "standard"),
    ]);
    ask(Chat, json!({"service_tier": "flex"})).becomes([
        own(),
        has("/service_tier", "flex"),
        warns("service_tier=dropped"),
        has("/serviceTier", "flex"),
    ]);
    ask(Chat, json!({"service_tier": "priority"})).becomes([
        own(),
        has("/service_tier", "priority"),
        has("/service_tier", "auto"),
        has("/serviceTier", "priority"),
    ]);
    ask(Anthropic, json!({"service_tier": "auto"})).becomes([
        has("/service_tier", "auto"),
        has("/service_tier", "auto"),
        own(),
        without("/serviceTier"),
    ]);
    ask(Anthropic, json!({"speed": "fast"})).becomes([
        has("/service_tier", "fast"),
        has("/service_tier", "fast"),
        own(),
        warns("speed=dropped"),
    ]);
    ask(Responses, json!({"service_tier": "ultrafast"})).becomes([
        has("/service_tier", "ultrafast"),
        own(),
        warns("service_tier=dropped"),
        warns("service_tier=dropped"),
    ]);
    let dropped = || warns("serviceTier=dropped");
    ask(Gemini, json!({"serviceTier": "turbo"})).becomes([dropped(), dropped(), dropped(), own()]);
}
