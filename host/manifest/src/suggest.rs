//! The nearest right word to a wrong one, and how lists of words are written in messages.

/// Candidates that are compared with a word, and bytes of a word that is: a file may have very many of both.
const CANDIDATES: usize = 500;
const LONGEST: usize = 64;

/// The candidate that `word` was probably meant to be, or none when nothing is near enough.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let wanted = word.to_lowercase();
    candidates
        .into_iter()
        .take(CANDIDATES)
        .filter(|candidate| candidate.len() <= 2 * LONGEST)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= tolerance(&wanted, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// One slip per three letters: enough for a swapped or missing letter, too little to turn nonsense into a word.
fn tolerance(word: &str, candidate: &str) -> usize {
    word.chars()
        .count()
        .min(candidate.chars().count())
        .div_ceil(3)
}

/// "did you mean `x`?" when a near word exists.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, candidates).map(|near| format!("did you mean `{near}`?"))
}

/// Does as [`did_you_mean`], for names of which another is not a likely slip: one letter may be wrong, missing or
/// swapped.
pub fn slip_of<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if word.len() > LONGEST {
        return None;
    }
    let wanted = word.to_lowercase();
    let mut near = candidates.into_iter().take(CANDIDATES);
    let near = near.find(|candidate| strsim::damerau_levenshtein(&wanted, candidate) == 1)?;
    Some(format!("did you mean `{near}`?"))
}

/// The words as "`a`, `b`, `c`".
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
