//! **The question:** is what `/openapi.json` says there, over a real socket?

use super::*;

/// The path with something that could be meant in place of each name in braces.
pub(super) fn filled(path: &str) -> String {
    let token = ResourceToken::random().to_string();
    let file = if path.starts_with("/assets/console/") { "common.js" } else { "style.css" };
    let recording = format!("00000001-r{}", "a5".repeat(16));
    let path = path.replace("{room}", "daily").replace("{token}", &token);
    let path = path.replace("{run}", "0").replace("{rung}", "320x180").replace("{piece}", "media.m3u8");
    let path = path.replace("{participant}", "p0000000000000001");
    path.replace("{recording}", &recording).replace("{name}", file)
}

#[tokio::test]
async fn every_path_of_the_document_answers_by_every_method_that_it_names() {
    let door = door(Tls::Off, stand_in);
    let response = door.get("/openapi.json").await;
    assert_eq!((response.status().as_u16(), text(&response, &CONTENT_TYPE)), (200, "application/json"));
    let document: Value = response.json().await.unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut asked = 0;
    for (path, of) in document["paths"].as_object().unwrap() {
        let url = format!("{}{}", door.url, filled(path));
        let options = door.client.request(Method::OPTIONS, &url).send().await.unwrap();
        assert_eq!(options.status(), 204, "OPTIONS {path}");
        let allowed = text(&options, &ALLOW).to_owned();
        for method in of.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            assert!(allowed.split(", ").any(|name| name == method.as_str()), "{method} {path}: {allowed}");
            let answer = door.client.request(method.clone(), &url).send().await.unwrap();
            let status = answer.status().as_u16();
            let kind = text(&answer, &CONTENT_TYPE).to_owned();
            let said = answer.text().await.unwrap();
            assert!(status != 405 && status < 500, "{method} {path}: {status} {said}");
            // What is not there is a room, a connection or a recording: never the path.
            let is_problem = kind == "application/problem+json";
            assert!(!is_problem || !said.contains("urn:tessera:problem:not-found\""), "{method} {path}: {said}");
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
    for path in ["/openapi.yaml", "/v1/room", "/recordings/x", "/assets/console/..%2fmain.js", "/assets/console/x"] {
        problem(door.get(path).await, 404, "not-found").await;
    }
}

/// What the door tells is what its schema says, to the member.
#[tokio::test]
async fn answers_are_what_their_schemas_say() {
    let door = door(Tls::Off, stand_in);
    let document: Value = door.get("/openapi.json").await.json().await.unwrap();
    for (path, pointer) in [
        ("/v1/rooms", "/paths/~1v1~1rooms"),
        ("/v1/rooms/daily", "/paths/~1v1~1rooms~1{room}"),
        ("/v1/rooms/daily/layout", "/paths/~1v1~1rooms~1{room}~1layout"),
        ("/v1/node", "/paths/~1v1~1node"),
        ("/v1/node/history", "/paths/~1v1~1node~1history"),
        ("/v1/rooms/daily/pushes", "/paths/~1v1~1rooms~1{room}~1pushes"),
        ("/whep/daily", "/paths/~1whep~1{room}"),
    ] {
        let of = format!("{pointer}/get/responses/200/content/application~1json/schema");
        let mut schema = document.pointer(&of).unwrap_or_else(|| panic!("{of}")).clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let answer: Value = door.get(path).await.json().await.unwrap();
        let errors: Vec<String> = validator.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{path}: {errors:?} in {answer}");
        let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let known = &document["components"]["schemas"][name]["properties"];
        for member in answer.as_object().unwrap().keys() {
            assert!(known.get(member).is_some(), "{path}: {member} is not in the schema {name}");
        }
    }
}
