//! **The question:** is everybody who makes a connection told by which servers it may go, and nobody else?

use super::*;

/// The `Link` headers of an answer that name servers.
fn servers(response: &Response) -> Vec<String> {
    let links = response.headers().get_all(LINK).iter().map(|link| link.to_str().unwrap().to_owned());
    links.filter(|link| link.contains("rel=\"ice-server\"")).collect()
}

#[tokio::test]
async fn servers_are_told_before_and_with_the_answer() {
    let ice_servers = serde_json::from_value(json!([
        { "urls": ["stun:stun.example.net"] },
        { "urls": ["turns:turn.example.net:443?transport=tcp"], "secret": "only the two know it" },
    ]));
    let door = door_of(Tls::Off, Guard { ice_servers: ice_servers.unwrap(), ..guard() }, stand_in);
    for path in ["/whip/daily", "/whep/daily", "/v1/rooms/daily/participants?name=Ada"] {
        let options = door.client.request(Method::OPTIONS, format!("{}{path}", door.url)).send().await.unwrap();
        let made = door.post(path).send().await.unwrap();
        assert_eq!(made.status(), 201, "{path}");
        for answer in [options, made] {
            let told = servers(&answer);
            assert_eq!(told[0], "<stun:stun.example.net>; rel=\"ice-server\"");
            assert!(told[1].starts_with("<turns:turn.example.net:443?transport=tcp>; rel=\"ice-server\"; username=\""));
            assert!(told.len() == 2 && !told[1].contains("only the two know it"), "{told:?}");
        }
    }
    let published = door.post("/whip/daily").send().await.unwrap();
    assert_eq!(published.headers().get_all(LINK).iter().count(), 3, "the way to watch is told beside them");
    // Who is turned away, or asks for something else, needs none.
    let refused = door.post("/whep/empty").send().await.unwrap();
    assert!(refused.status().is_client_error() && servers(&refused).is_empty());
    let health = door.client.request(Method::OPTIONS, format!("{}/healthz", door.url)).send().await.unwrap();
    assert!(servers(&health).is_empty());
}
