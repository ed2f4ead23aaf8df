//! **The question:** is each route of a node shut to another tenant's token, whatever that says it may?

use super::*;
use crate::core::access::Scope;
use crate::io::http::rights::all;

const OTHER: &[u8] = b"a secret of the other one's, of more than 32 bytes";
const RESELLER: &[u8] = b"a secret of a partner's, and also more than 32 bytes";

/// Keys of two tenants and of a partner who has the first.
fn shared() -> Guard {
    let key = |id: &str, bytes| AccessKey::read(id.parse().unwrap(), Algorithm::Hs256, bytes).unwrap();
    let of = |tenant: &str| Scope::of(tenant.parse().unwrap());
    let keys = vec![(key("hs", SECRET), of("acme")), (key("other", OTHER), of("globex"))];
    let keys = keys.into_iter().chain([(key("reseller", RESELLER), of("acme"))]).collect();
    let policy = Policy { is_locked: true, ..Policy::default() };
    let keys = Keyring::scoped(keys, Duration::from_secs(3600));
    Guard { policy, keys, token: Some(OPERATOR.parse().unwrap()), ..guard() }
}

fn by(key: &str, bytes: &[u8], role: Role, room: Option<&str>) -> String {
    signed(key, Algorithm::Hs256, bytes, &claims(role, room))
}

#[tokio::test]
async fn no_route_of_a_tenants_room_opens_to_another_tenants_token() {
    let door = door_of(Tls::Off, shared(), stand_in);
    let mut refused = 0;
    for (pattern, method, act) in all() {
        let own = filled(pattern).replace("/daily", "/acme~daily");
        let what = format!("{method} {pattern}");
        let names_room = pattern.contains("{room}");
        for role in ROLES {
            // A page is anybody's; of whom a recording is shows where it lies, which needs an archive; nodes sign what
            // they ask of each other, and no token is looked at.
            if matches!(act, Act::Visit | Act::Archive | Act::Settle) {
                continue;
            }
            for room in [None, Some("globex~daily")] {
                let token = by("other", OTHER, role, room);
                let (status, said, asks) = ask(&door, method, &own, Some(&token)).await;
                let told = (status, said.as_str());
                if !names_room && act != Act::Oversee {
                    // What is told there is told of its own rooms, which the control thread sees to.
                    continue;
                }
                match may(role, act) {
                    true => assert_eq!(told, (403, "wrong-tenant"), "{what}, {role}"),
                    false => assert_eq!(told, (403, "wrong-role"), "{what}, {role}"),
                }
                assert_eq!(asks, "Bearer error=\"insufficient_scope\"", "{what}, {role}");
                refused += 1;
            }
            // A token that claims a room which its key does not reach is none.
            let stray = by("other", OTHER, role, Some("acme~daily"));
            if act != Act::SteerOwn {
                let (status, said, _) = ask(&door, method, &own, Some(&stray)).await;
                assert_eq!((status, said.as_str()), (401, "token-refused"), "{what}, {role}");
            }
            for (key, bytes) in [("hs", SECRET), ("reseller", RESELLER)] {
                if names_room && may(role, act) {
                    let (status, said, _) = ask(&door, method, &own, Some(&by(key, bytes, role, None))).await;
                    assert!(!matches!(status, 401 | 403 | 405), "{what}, {role} by {key}: {status} {said}");
                }
            }
        }
    }
    assert!(refused > 300, "{refused}");
}

#[tokio::test]
async fn rooms_of_nobody_and_the_node_itself_are_the_operators() {
    let door = door_of(Tls::Off, shared(), stand_in);
    let admin = by("hs", SECRET, Role::Admin, None);
    for (path, told) in [
        ("/v1/rooms/daily", (403, "wrong-tenant")),
        ("/v1/node/history", (403, "wrong-tenant")),
        ("/v1/fleet", (403, "wrong-tenant")),
        ("/v1/rooms", (200, "")),
    ] {
        let (status, said, _) = ask(&door, &Method::GET, path, Some(&admin)).await;
        assert_eq!((status, said.as_str()), told, "{path}");
        let (status, ..) = ask(&door, &Method::GET, path, Some(OPERATOR)).await;
        assert_eq!(status, 200, "{path}");
    }
    let (status, said, _) = ask(&door, &Method::POST, "/v1/node/drain", Some(&admin)).await;
    assert_eq!((status, said.as_str()), (403, "wrong-tenant"));
}

/// What is refused for a tenant's sake, or a host's, is told in words and with when to come back.
#[tokio::test]
async fn what_one_waits_for_says_when_to_ask_again() {
    use crate::core::access::{OverQuota, QuotaOf};
    let refusals = [
        (Refusal::OverQuota(OverQuota { of: QuotaOf::Rooms, most: 3 }), 429, "tenant-full", Some("30")),
        (Refusal::InLobby { waited_s: 4, hosts: 1 }, 503, "in-lobby", Some("3")),
        (Refusal::LobbyFull, 503, "lobby-full", Some("2")),
        (Refusal::NotLetIn, 403, "not-let-in", None),
        (Refusal::LobbyOver, 403, "not-let-in", None),
        (Refusal::Banned, 403, "banned", None),
        (Refusal::OutsideRegion("eu".parse().unwrap()), 409, "other-region", None),
        (Refusal::StoredOutside("eu".parse().unwrap()), 409, "stored-elsewhere", None),
    ];
    let (give, given) = std::sync::mpsc::sync_channel(1);
    let door = door(Tls::Off, move |requests| {
        for Request { command, .. } in requests {
            command.refuse(given.recv().unwrap());
        }
    });
    for (refusal, status, kind, after) in refusals {
        give.send(refusal).unwrap();
        let answer = door.post("/whip/acme~daily").send().await.unwrap();
        assert_eq!(answer.headers().get("retry-after").map(|after| after.to_str().unwrap()), after, "{kind}");
        problem(answer, status, kind).await;
    }
}
