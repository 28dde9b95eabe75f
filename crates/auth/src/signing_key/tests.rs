//! Keys over a store in memory: who signs when, what is refused, and in which words.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::ports::{StoreError, SystemRandom};

const MINUTE: i64 = 60_000;

/// Rows, and a clock that the test moves.
#[derive(Default)]
struct Rows {
    now_ms: Mutex<i64>,
    keys: Mutex<Vec<KeptKey>>,
}

impl Rows {
    fn insert(&self, key: &NewKey, number: i64, signs_from_ms: i64) {
        self.keys.lock().unwrap().push(KeptKey {
            number,
            id: key.id.clone(),
            seed: key.seed.clone(),
            signs_from_ms,
            believed_until_ms: None,
        });
    }

    fn wait(&self, minutes: i64) {
        *self.now_ms.lock().unwrap() += minutes * MINUTE;
    }

    fn now(&self) -> i64 {
        *self.now_ms.lock().unwrap()
    }
}

#[async_trait]
impl SigningKeyStore for Rows {
    async fn signing_keys(&self) -> Result<KeptKeys, StoreError> {
        Ok(KeptKeys {
            now_ms: self.now(),
            keys: self.keys.lock().unwrap().clone(),
        })
    }

    async fn add_first_signing_key(&self, key: &NewKey) -> Result<bool, StoreError> {
        let is_empty = self.keys.lock().unwrap().is_empty();
        if is_empty {
            self.insert(key, 1, self.now());
        }
        Ok(is_empty)
    }

    async fn add_signing_key(
        &self,
        key: &NewKey,
        newest: i64,
        lead: Duration,
        overlap: Duration,
    ) -> Result<bool, StoreError> {
        let from = self.now() + milliseconds(lead);
        for kept in &mut *self.keys.lock().unwrap() {
            let until = from + milliseconds(overlap);
            let earlier = kept.believed_until_ms.unwrap_or(i64::MAX);
            kept.believed_until_ms = Some(until.min(earlier));
        }
        self.insert(key, newest + 1, from);
        Ok(true)
    }

    async fn replace_signing_keys(&self, key: &NewKey) -> Result<(), StoreError> {
        self.keys.lock().unwrap().clear();
        self.insert(key, 9, self.now());
        Ok(())
    }

    async fn seal_signing_key(&self, id: &str, sealed: &[u8]) -> Result<(), StoreError> {
        for key in &mut *self.keys.lock().unwrap() {
            if key.id == id {
                key.seed = KeptSeed::Sealed(sealed.to_vec());
            }
        }
        Ok(())
    }

    async fn remove_ended_signing_keys(&self) -> Result<(), StoreError> {
        let now = self.now();
        self.keys.lock().unwrap().retain(|key| !key.is_over_at(now));
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

fn keys(rows: &Arc<Rows>, secret: Option<&str>) -> SigningKeys {
    let secret = secret.map(|secret| SealingSecret::new(secret.into()).unwrap());
    SigningKeys::new(rows.clone(), Arc::new(SystemRandom), secret)
}

/// The ids of what a node works with, the one that signs first.
async fn in_force(keys: &SigningKeys) -> Vec<String> {
    let known = keys.read().await.unwrap().unwrap();
    let (ids, _) = known.seeds_after(Duration::ZERO).unwrap();
    ids.into_iter().map(str::to_owned).collect()
}

async fn refused(keys: &SigningKeys) -> String {
    let error = keys.start().await.err().unwrap();
    assert!(matches!(error, OperatorError::Unusable(_)), "{error:?}");
    error.to_string()
}

const SECRET: &str = "a secret of some length";

#[tokio::test]
async fn a_new_key_is_known_before_it_signs_and_the_old_one_believed_after() {
    let rows = Arc::new(Rows::default());
    let keys = keys(&rows, None);
    let (_, is_new) = keys.start().await.unwrap();
    assert!(is_new);
    let (_, is_new) = keys.start().await.unwrap();
    assert!(!is_new);
    let old = in_force(&keys).await.remove(0);
    let new = keys.rotate(Rotation::Gentle).await.unwrap();
    let both = [old.clone(), new.clone()];
    assert_eq!(in_force(&keys).await, both);
    let error = keys.rotate(Rotation::Gentle).await.unwrap_err().to_string();
    assert!(
        error.contains(&new) && error.contains("on its way"),
        "{error}"
    );

    // A node that cannot read the store any more takes the next step all the same.
    let known = keys.read().await.unwrap().unwrap();
    let later = |minutes| {
        let (ids, seeds) = known.seeds_after(Duration::from_mins(minutes)).unwrap();
        let ids: Vec<_> = ids.into_iter().map(str::to_owned).collect();
        assert_eq!(id_of(&seeds.first).unwrap(), ids[0]);
        assert_eq!(seeds.others.len() + 1, ids.len());
        ids
    };
    assert_eq!(later(9), both);
    assert_eq!(later(10), [new.clone(), old.clone()]);
    assert_eq!(later(129), [new.clone(), old]);
    assert_eq!(later(130), std::slice::from_ref(&new));

    rows.wait(130);
    assert_eq!(in_force(&keys).await, [new]);
    assert_eq!(rows.keys.lock().unwrap().len(), 1, "the row is gone");
}

#[tokio::test]
async fn a_key_in_clear_is_encrypted_by_the_first_start_with_a_secret() {
    let rows = Arc::new(Rows::default());
    keys(&rows, None).start().await.unwrap();
    let id = in_force(&keys(&rows, None)).await;
    let with_secret = keys(&rows, Some(SECRET));
    let error = with_secret.rotate(Rotation::Gentle).await.unwrap_err();
    assert!(error.to_string().contains("is not encrypted"), "{error}");
    with_secret.start().await.unwrap();
    let kept = with_secret.kept().await.unwrap();
    assert!(matches!(kept.keys[0].seed, KeptSeed::Sealed(_)));
    assert_eq!(in_force(&with_secret).await, id);
    with_secret.rotate(Rotation::Gentle).await.unwrap();
    let kept = with_secret.kept().await.unwrap();
    assert!(matches!(kept.keys[1].seed, KeptSeed::Sealed(_)));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_words_and_replaced_on_demand() {
    let rows = Arc::new(Rows::default());
    keys(&rows, Some(SECRET)).start().await.unwrap();
    for (secret, expected) in [
        (None, "there is no secret to read it"),
        (
            Some("another secret of length"),
            "encrypted with another one",
        ),
    ] {
        let text = refused(&keys(&rows, secret)).await;
        assert!(
            text.contains(expected) && text.contains("signing_key_secret_env"),
            "{text}"
        );
        assert!(!text.contains("another secret of"), "{text}");
    }
    for nonsense in [
        KeptSeed::Sealed(vec![9; 93]),
        KeptSeed::Sealed(Vec::new()),
        KeptSeed::Clear(vec![9; 31].into()),
        // A key, and not the one of this row.
        KeptSeed::Clear(vec![9; 32].into()),
    ] {
        rows.keys.lock().unwrap()[0].seed = nonsense;
        let text = refused(&keys(&rows, Some(SECRET))).await;
        assert!(
            text.contains("holds no signing key") && text.contains("--forget-others"),
            "{text}"
        );
    }
    let keys = keys(&rows, Some(SECRET));
    assert!(keys.rotate(Rotation::Gentle).await.is_err());
    let id = keys.rotate(Rotation::ForgetOthers).await.unwrap();
    keys.start().await.unwrap();
    assert_eq!(in_force(&keys).await, [id]);
}

#[tokio::test]
async fn a_key_from_elsewhere_is_taken_in_where_there_is_none() {
    let rows = Arc::new(Rows::default());
    let keys = keys(&rows, None);
    let seed = |byte| Seed::new(Box::new([byte; 32]));
    let id = keys.import(&seed(1)).await.unwrap();
    assert_eq!(keys.import(&seed(1)).await.unwrap(), id, "again");
    let error = keys.import(&seed(2)).await.unwrap_err().to_string();
    assert!(error.contains("another signing key"), "{error}");
    let (_, is_new) = keys.start().await.unwrap();
    assert!(!is_new);
    assert_eq!(in_force(&keys).await, [id]);
}

#[tokio::test]
async fn s12_no_key_is_printed() {
    let rows = Arc::new(Rows::default());
    let keys = keys(&rows, None);
    keys.import(&Seed::new(Box::new([7; 32]))).await.unwrap();
    let known = keys.read().await.unwrap().unwrap();
    let (_, seeds) = known.seeds_after(Duration::ZERO).unwrap();
    let signing = Signing::new(&seeds).unwrap();
    let printed = format!("{seeds:?} {:?} {signing:?}", known.kept());
    assert!(!printed.contains("7, 7"), "{printed}");
}
