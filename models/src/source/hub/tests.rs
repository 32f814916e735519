//! The hub's code against a small server on this machine that answers as the hub does.
//!
//! Not tested here: the hub itself, TLS, and proxies.

mod server;

use super::*;
use server::{NEWER, SHA, Script, Server, bytes, files};
use std::fs::File;
use tempfile::TempDir;

const SHARDED: [&str; 7] = [
    "README.md",
    "config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "tokenizer.json",
];

/// A server, a cache and how to use them.
struct Place {
    server: Server,
    options: HubOptions,
    _home: TempDir,
}

fn place(script: Script) -> Place {
    let server = Server::start(script);
    let home = TempDir::new().unwrap();
    let options = HubOptions {
        endpoint: Some(server.url()),
        home: Some(home.path().to_path_buf()),
        ..HubOptions::default()
    };
    Place { server, options, _home: home }
}

impl Place {
    fn get(&self) -> Result<Fetched, ModelError> {
        fetch("org/tiny", None, None, &self.options, &Quiet)
    }

    fn refused(&self) -> String {
        one_sentence(&self.get().unwrap_err())
    }

    fn with_token(mut self, token: &str) -> Self {
        self.options.token = Some(token.into());
        self
    }

    fn offline(&self) -> HubOptions {
        // An address that nobody answers at: asking it would fail loudly.
        let endpoint = Some("http://127.0.0.1:1".into());
        HubOptions { offline: true, endpoint, ..self.options.clone() }
    }

    fn assert_same(&self, path: &Path, name: &str) {
        let script = self.server.script.lock().unwrap();
        let (_, wanted) = script.files.iter().find(|(known, _)| *known == name).unwrap();
        assert!(std::fs::read(path).unwrap() == *wanted, "{name} has other bytes");
    }
}

fn one_sentence(error: &ModelError) -> String {
    let text = error.to_string();
    assert!(!text.contains(['\n', '\r']) && !text.contains(". "), "{text}");
    text
}

#[test]
fn a_sharded_checkpoint_lands_in_one_folder_and_is_found_again_offline() {
    let place = place(files(&SHARDED));
    let fetched = place.get().unwrap();
    assert_eq!(fetched.revision.as_deref(), Some(SHA));
    for name in [1, 2, 3, 4, 6].map(|at| SHARDED[at]) {
        place.assert_same(&fetched.path.join(name), name);
    }
    assert!(!fetched.path.join("pytorch_model.bin").exists());
    assert_eq!(place.server.downloads(), 5);

    place.get().unwrap();
    assert_eq!(place.server.downloads(), 5, "a second run downloads nothing");

    let offline = place.offline();
    drop(place.server);
    for revision in [None, Some("main"), Some(SHA)] {
        let again = fetch("org/tiny", revision, None, &offline, &Quiet).unwrap();
        assert_eq!((again.path, again.revision.as_deref()), (fetched.path.clone(), Some(SHA)));
    }
}

#[test]
fn a_branch_that_moved_is_fetched_anew_into_a_folder_of_its_own() {
    let place = place(files(&["config.json", "model.safetensors"]));
    let old = place.get().unwrap();
    {
        let mut script = place.server.script.lock().unwrap();
        script.sha = NEWER;
        script.files[1].1 = bytes(99, 5_000);
    }
    let new = place.get().unwrap();
    assert_eq!(new.revision.as_deref(), Some(NEWER));
    assert_ne!(old.path, new.path);
    place.assert_same(&new.path.join("model.safetensors"), "model.safetensors");
    place.assert_same(&new.path.join("config.json"), "config.json");
    assert_eq!(place.server.downloads(), 3, "the config is the same blob");
    let offline = place.offline();
    assert_eq!(fetch("org/tiny", None, None, &offline, &Quiet).unwrap().path, new.path);
    assert_eq!(fetch("org/tiny", Some(SHA), None, &offline, &Quiet).unwrap().path, old.path);
}

#[test]
fn an_interrupted_checkpoint_is_not_taken_for_a_whole_one_offline() {
    let mut script = files(&SHARDED);
    script.lies = true;
    let place = place(script);
    let error = place.refused();
    assert!(error.contains("tiny/model-00001-of-00002.safetensors from"), "{error}");
    assert!(error.contains("SHA-256"), "{error}");
    assert!(
        one_sentence(&fetch("org/tiny", None, None, &place.offline(), &Quiet).unwrap_err())
            .contains("not in the cache")
    );
    place.server.script.lock().unwrap().lies = false;
    // Small files carry no SHA-256 on the hub either, so the lie in those went unseen.
    let fetched = place.get().unwrap();
    place.assert_same(&fetched.path.join(SHARDED[2]), SHARDED[2]);
}

#[test]
fn the_only_gguf_is_the_model() {
    let place = place(files(&["README.md", "config.json", "q/tiny #1.gguf"]));
    let fetched = place.get().unwrap();
    assert!(fetched.path.ends_with("q/tiny #1.gguf"), "{:?}", fetched.path);
    place.assert_same(&fetched.path, "q/tiny #1.gguf");
    let again = fetch("org/tiny", None, None, &place.offline(), &Quiet).unwrap();
    assert_eq!((again.path, again.revision), (fetched.path, fetched.revision));
}

#[test]
fn of_several_ggufs_one_must_be_named() {
    let place = place(files(&["tiny-q4_0.gguf", "tiny-q8_0.gguf", "poison.bin"]));
    assert_eq!(
        place.refused(),
        "cannot get org/tiny from the hub: it has several GGUF files; name one as \
         hf:org/tiny:FILE, or its quantisation as hf:org/tiny:Q4_K_M, out of tiny-q4_0.gguf, \
         tiny-q8_0.gguf"
    );
    let named = |file| fetch("org/tiny", Some("v1"), Some(file), &place.options, &Quiet);
    place.assert_same(&named("tiny-q8_0.gguf").unwrap().path, "tiny-q8_0.gguf");
    assert_eq!(place.server.downloads(), 1);
    let error = one_sentence(&named("tiny-q8.gguf").unwrap_err());
    assert!(error.contains("no file \"tiny-q8.gguf\"; nearest: tiny-q8_0.gguf, "), "{error}");
    let error = one_sentence(&named("poison.bin").unwrap_err());
    assert!(error.contains("\"poison.bin\" is no GGUF file"), "{error}");
    assert_eq!(place.server.downloads(), 1, "nothing refused is downloaded");

    let named = |revision, file| fetch("org/tiny", revision, Some(file), &place.offline(), &Quiet);
    assert!(named(Some("v1"), "tiny-q8_0.gguf").is_ok());
    assert!(named(Some("v1"), "tiny-q4_0.gguf").is_err(), "it was not fetched");
    assert!(named(None, "tiny-q8_0.gguf").is_err(), "main was not fetched");
}

const PARTS: [&str; 5] = [
    "README.md",
    "tiny-Q4_0-00001-of-00002.gguf",
    "tiny-Q4_0-00002-of-00002.gguf",
    "tiny-Q8_0.gguf",
    "mmproj-tiny.gguf",
];

#[test]
fn a_split_gguf_comes_whole_by_its_quantisation_or_by_any_part() {
    for file in ["q4_0", PARTS[1], PARTS[2]] {
        let place = place(files(&PARTS));
        let fetched = fetch("org/tiny", None, Some(file), &place.options, &Quiet).unwrap();
        assert!(fetched.path.ends_with(PARTS[1]), "{:?}", fetched.path);
        for part in &PARTS[1..3] {
            place.assert_same(&fetched.path.with_file_name(part), part);
        }
        assert_eq!(place.server.downloads(), 2);
        for again in ["Q4_0", PARTS[1], PARTS[2]] {
            let again = fetch("org/tiny", None, Some(again), &place.offline(), &Quiet).unwrap();
            assert_eq!(again.path, fetched.path);
        }
        for other in ["q8_0", PARTS[3]] {
            let error = fetch("org/tiny", None, Some(other), &place.offline(), &Quiet).unwrap_err();
            assert!(one_sentence(&error).contains("not in the cache"));
        }
    }
}

#[test]
fn half_of_a_split_gguf_is_not_taken_for_the_model_offline() {
    let place = place(files(&PARTS));
    let fetch_at = |options: &HubOptions| {
        fetch("org/tiny", Some(SHA), Some("q4_0"), options, &Quiet).map(|fetched| fetched.path)
    };
    let first = fetch_at(&place.options).unwrap();
    assert_eq!(fetch_at(&place.offline()).unwrap(), first);
    std::fs::remove_file(first.with_file_name(PARTS[2])).unwrap();
    assert!(one_sentence(&fetch_at(&place.offline()).unwrap_err()).contains("not in the cache"));
}

/// Writes down what it is told.
#[derive(Default)]
struct Told(std::cell::RefCell<Vec<String>>);

impl Progress for Told {
    fn begins(&self, download: &Download<'_>) {
        let Download { file, number, files, bytes, already } = *download;
        let text = format!("{file} {number}/{files} {bytes:?} from {already}");
        self.0.borrow_mut().push(text);
    }

    fn reached(&self, bytes: u64) {
        self.0.borrow_mut().push(bytes.to_string());
    }

    fn ends(&self, whole: bool) {
        self.0.borrow_mut().push(format!("whole: {whole}"));
    }
}

impl Told {
    fn by(place: &Place) -> (Vec<String>, Result<Fetched, ModelError>) {
        let told = Self::default();
        let fetched = fetch("org/tiny", None, None, &place.options, &told);
        (told.0.take(), fetched)
    }
}

#[test]
fn a_slow_download_is_told_of_as_it_grows() {
    let mut script = Script { trickle: 4, ..files(&["config.json", "model.safetensors"]) };
    script.files[1].1 = bytes(3, 4_000);
    let place = place(script);
    let (told, fetched) = Told::by(&place);
    fetched.unwrap();
    let weights = told.iter().position(|line| line.starts_with("model.safetensors")).unwrap();
    assert_eq!(weights, 0, "the config is the last");
    assert_eq!(told[0], "model.safetensors 1/2 Some(4000) from 0");
    let config = told.iter().position(|line| line.starts_with("config.json 2/2")).unwrap();
    let reached: Vec<u64> = told[1..config - 1].iter().map(|at| at.parse().unwrap()).collect();
    assert!(reached.len() >= 3, "{told:?}");
    assert!(reached.is_sorted() && reached.last() == Some(&4_000), "{told:?}");
    assert_eq!([told[config - 1].as_str(), told.last().unwrap()], ["whole: true"; 2]);
    assert_eq!(Told::by(&place).0, [""; 0], "nothing arrives a second time");
}

#[test]
fn what_an_earlier_attempt_left_is_told_and_a_lie_is_not_whole() {
    let place = place(Script { lies: true, ..files(&["tiny.gguf"]) });
    let (told, fetched) = Told::by(&place);
    assert!(one_sentence(&fetched.unwrap_err()).contains("SHA-256"));
    assert_eq!(told.last().unwrap(), "whole: false");
    place.server.script.lock().unwrap().lies = false;

    let blob = std::fs::canonicalize(place.get().unwrap().path).unwrap();
    let whole = std::fs::read(&blob).unwrap();
    std::fs::write(blob.with_extension("part"), &whole[..1_500]).unwrap();
    std::fs::remove_file(&blob).unwrap();
    let (told, fetched) = Told::by(&place);
    fetched.unwrap();
    assert_eq!(told[0], "tiny.gguf 1/1 Some(4000) from 1500");
    assert_eq!(told[told.len() - 2..], ["4000", "whole: true"]);
}

#[test]
fn a_body_longer_than_it_was_said_to_be_is_refused() {
    let place = place(Script { surplus: 10 << 20, ..files(&["tiny.gguf"]) });
    let error = place.refused();
    assert!(error.contains("more than its 4000 bytes arrive"), "{error}");
    // What arrived of it is no more than a buffer or two, and the next attempt begins anew.
    let blobs = place.options.home.as_ref().unwrap().join("hub/models--org--tiny/blobs");
    let held: u64 =
        std::fs::read_dir(blobs).unwrap().map(|blob| blob.unwrap().metadata().unwrap().len()).sum();
    assert!(held < 1 << 20, "{held}");
    place.server.script.lock().unwrap().surplus = 0;
    place.get().unwrap();
}

#[test]
fn a_pinned_commit_is_asked_for_by_its_hash() {
    let place = place(files(&["tiny.gguf"]));
    let fetched = fetch("org/tiny", Some(SHA), None, &place.options, &Quiet).unwrap();
    assert_eq!(fetched.revision.as_deref(), Some(SHA));
    let asked = format!("/api/models/org/tiny/revision/{SHA}?blobs=true");
    assert_eq!(place.server.count(|request| request.path == asked), 1);
    let error = fetch("org/tiny", Some(NEWER), None, &place.options, &Quiet).unwrap_err();
    assert!(one_sentence(&error).contains("no such repository, revision or file"));
}

#[test]
fn pickles_alone_are_refused() {
    for names in [["config.json", "pytorch_model.bin"], ["config.json", "model.pth"]] {
        let place = place(files(&names));
        let error = place.refused();
        assert!(error.contains("pickle files only"), "{error}");
        assert_eq!(place.server.downloads(), 0);
    }
    assert!(place(files(&["README.md"])).refused().contains("neither config.json"));
}

#[test]
fn a_name_that_leads_out_of_the_cache_is_not_there() {
    let place = place(files(&["../../../evil.gguf", "two\nlines.gguf", "/absolute.gguf"]));
    assert!(place.refused().contains("nor a GGUF"));
}

#[test]
fn what_is_not_there_is_said_so() {
    let place = place(files(&["tiny.gguf"]));
    let error = fetch("org/typo", None, None, &place.options, &Quiet).unwrap_err();
    assert_eq!(
        one_sentence(&error),
        "cannot get org/typo from the hub: there is no such repository, revision or file; check \
         the spelling"
    );
    let error = fetch("org/tiny", Some("typo"), None, &place.options, &Quiet).unwrap_err();
    assert!(one_sentence(&error).contains("no such repository, revision or file"));
}

#[test]
fn a_gate_asks_for_a_token_or_says_that_the_token_is_not_enough() {
    let gated = |word| Script { gate: Some(("key", word)), ..files(&["tiny.gguf"]) };
    let error = place(gated("GatedRepo")).refused();
    assert!(error.ends_with("it is gated; accept its licence on its page and set HF_TOKEN"));
    // As the hub answers for a repository that does not exist to somebody it does not know.
    let error = place(gated("RepoNotFound")).refused();
    assert!(error.contains("not there; check the spelling, or"), "{error}");
    assert!(error.ends_with("set HF_TOKEN"), "{error}");

    let barred = Script { barred: Some("stranger"), ..gated("GatedRepo") };
    for place in [place(gated("")).with_token("wrong"), place(barred).with_token("stranger")] {
        let error = place.refused();
        assert!(error.contains("access is refused for this token (HF_TOKEN, or"), "{error}");
        assert!(!error.contains("wrong") && !error.contains("stranger"), "{error}");
    }
    assert!(place(gated("GatedRepo")).with_token("key").get().is_ok());

    let place = place(gated("GatedRepo"));
    std::fs::write(place.options.home.as_ref().unwrap().join("token"), "key\n").unwrap();
    assert!(place.get().is_ok(), "the token of a login is used");
}

#[test]
fn the_token_goes_to_the_hub_and_to_no_other_host() {
    let names = ["config.json", "model.safetensors"];
    let storage = Server::start(files(&names));
    // The same machine under another name is another host.
    let elsewhere = Some(format!("http://localhost:{}", storage.port));
    let gate = Some(("key", "GatedRepo"));
    let place = place(Script { gate, elsewhere, ..files(&names) }).with_token("key");
    let fetched = place.get().unwrap();
    place.assert_same(&fetched.path.join(names[1]), names[1]);
    assert_eq!(place.server.count(|request| request.token.as_deref() == Some("Bearer key")), 3);
    assert_eq!(place.server.count(|_| true), 3);
    assert_eq!((storage.downloads(), storage.count(|request| request.token.is_some())), (2, 0));
}

#[test]
fn a_redirect_within_the_hub_keeps_the_token() {
    let gate = Some(("key", "GatedRepo"));
    let script = Script { gate, elsewhere: Some("/cache".into()), ..files(&["tiny.gguf"]) };
    let place = place(script).with_token("key");
    place.assert_same(&place.get().unwrap().path, "tiny.gguf");
    assert_eq!(place.server.downloads(), 2);
}

#[test]
fn without_a_token_none_is_sent() {
    let place = place(files(&["tiny.gguf"]));
    place.get().unwrap();
    assert_eq!(place.server.count(|request| request.token.is_some()), 0);
}

#[test]
fn a_cut_download_goes_on_where_it_was() {
    let place = place(Script { cuts: 2, ..files(&["tiny.gguf"]) });
    let fetched = place.get().unwrap();
    place.assert_same(&fetched.path, "tiny.gguf");
    let from: Vec<_> = place.server.seen.lock().unwrap().iter().map(|seen| seen.from).collect();
    assert_eq!(from, [None, None, Some(2_000), Some(3_000)]);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let place = place(Script { cuts: 1, whole: true, ..files(&["tiny.gguf"]) });
    place.assert_same(&place.get().unwrap().path, "tiny.gguf");
    assert_eq!(place.server.downloads(), 2);
}

#[test]
fn a_list_without_sizes_and_hashes_will_do() {
    let place = place(Script { terse: true, cuts: 1, ..files(&["a/tiny.gguf"]) });
    place.assert_same(&place.get().unwrap().path, "a/tiny.gguf");
}

#[test]
fn a_part_left_by_an_earlier_run_is_used_where_it_can_be() {
    let script = files(&["tiny.gguf"]);
    let whole = script.files[0].1.clone();
    let place = place(script);
    let first = place.get().unwrap().path;
    let blob = std::fs::canonicalize(&first).unwrap();
    let part = blob.with_extension("part");
    let longer = [whole.as_slice(), &[0; 10]].concat();
    for (left, downloads) in [(&whole[..1_000], 1), (&whole[..], 0), (&longer[..], 1), (&[], 1)] {
        std::fs::remove_file(&first).unwrap();
        std::fs::rename(&blob, &part).unwrap();
        std::fs::write(&part, left).unwrap();
        let before = place.server.downloads();
        place.assert_same(&place.get().unwrap().path, "tiny.gguf");
        assert_eq!(place.server.downloads() - before, downloads, "{} bytes left", left.len());
        assert!(!part.exists());
    }
    let from = place.server.seen.lock().unwrap().iter().filter(|at| at.from == Some(1_000)).count();
    assert_eq!(from, 1, "the first was gone on with");
}

#[test]
fn another_process_at_the_same_file_is_waited_for_by_the_user() {
    let place = place(files(&["tiny.gguf"]));
    let blob = std::fs::canonicalize(place.get().unwrap().path).unwrap();
    let part = blob.with_extension("part");
    std::fs::rename(&blob, &part).unwrap();
    let other = File::open(&part).unwrap();
    other.lock().unwrap();
    assert!(place.refused().contains("another process is downloading it"));
}

#[test]
fn a_hub_that_pauses_is_asked_again_and_one_that_stays_away_is_named() {
    let place = place(Script { pauses: 1, ..files(&["tiny.gguf"]) });
    assert!(place.get().is_ok());
    place.server.script.lock().unwrap().pauses = usize::MAX;
    assert!(place.refused().contains("HTTP 503; try again later, or set HF_HUB_OFFLINE=1"));
    assert_eq!(place.server.count(|_| true), 3 + 4, "three retries");
    let away = HubOptions { offline: false, ..place.offline() };
    let error = one_sentence(&fetch("org/tiny", None, None, &away, &Quiet).unwrap_err());
    assert!(
        error.ends_with("check the network, or set HF_HUB_OFFLINE=1 to use what is in the cache")
    );
}

#[test]
fn an_answer_that_is_no_list_is_one_sentence() {
    let place = place(Script { sha: "../up", ..files(&["tiny.gguf"]) });
    assert!(place.refused().contains("its commit has no hash"));
}

#[test]
#[cfg(unix)]
fn a_cache_leads_to_no_other_folder_and_to_none_twice() {
    use std::os::unix::fs::symlink;

    let place = place(files(&["tiny.gguf"]));
    let fetched = place.get().unwrap();
    let snapshot = fetched.path.parent().unwrap();
    // Followed, these would be as many folders as two to the power of links that a path may have.
    symlink(".", snapshot.join("a")).unwrap();
    symlink(".", snapshot.join("b")).unwrap();
    assert_eq!(fetch("org/tiny", None, None, &place.offline(), &Quiet).unwrap().path, fetched.path);

    // A model that is there, and not below the repository's snapshots.
    let repository = snapshot.parent().unwrap().parent().unwrap();
    std::fs::rename(repository.join("snapshots"), repository.join("elsewhere")).unwrap();
    std::fs::create_dir(repository.join("snapshots")).unwrap();
    let other = format!("../elsewhere/{SHA}");
    assert!(repository.join("snapshots").join(&other).join("tiny.gguf").exists());
    std::fs::write(repository.join("refs/main"), other).unwrap();
    let error = one_sentence(&fetch("org/tiny", None, None, &place.offline(), &Quiet).unwrap_err());
    assert!(error.contains("not in the cache"), "{error}");
}

#[test]
fn offline_with_an_empty_cache_says_what_to_do() {
    let place = place(files(&["tiny.gguf"]));
    assert_eq!(
        one_sentence(&fetch("org/tiny", None, None, &place.offline(), &Quiet).unwrap_err()),
        "cannot get org/tiny from the hub: HF_HUB_OFFLINE is set and it is not in the cache; \
         unset it to download"
    );
    assert_eq!(place.server.count(|_| true), 0);
}
