//! A vault of natural-looking notes, the same on every machine.
//!
//! Words are made of syllables and drawn with Zipf's frequencies behind the usual small words of English;
//! notes have headings, paragraphs, lists, links, tags, tables and code.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::Outcome;

const NOTES: usize = 4_000;
const FOLDERS: usize = 60;
const WORDS: usize = 24_000;

const SMALL_WORDS: [&str; 40] = [
    "the", "of", "and", "to", "a", "in", "is", "that", "for", "it", "with", "as", "on", "was",
    "be", "this", "are", "by", "from", "or", "which", "an", "at", "not", "have", "when", "more",
    "can", "their", "one", "if", "will", "between", "used", "other", "into", "its", "then", "some",
    "after",
];
const ONSETS: [&str; 18] = [
    "b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v", "br", "st", "tr", "pl", "ch",
];
const RIMES: [&str; 14] = [
    "a", "e", "i", "o", "u", "an", "er", "in", "or", "al", "en", "is", "ar", "it",
];
const ENDINGS: [&str; 8] = ["", "s", "ed", "ing", "ly", "tion", "er", ""];

/// Numbers that look random and are the same every time (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Writes the vault into `root` and returns it.
pub(crate) fn vault(root: &Path) -> Outcome<PathBuf> {
    let mut writer = Writer::new();
    let titles: Vec<String> = (0..NOTES).map(|note| writer.title(note)).collect();
    for (note, title) in titles.iter().enumerate() {
        let folder = root
            .join(format!("area {}", note % 12))
            .join(format!("topic {}", note % FOLDERS));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(
            folder.join(format!("{title}.md")),
            writer.note(title, &titles),
        )?;
    }
    Ok(root.to_owned())
}

struct Writer {
    dice: Dice,
    words: Vec<String>,
}

impl Writer {
    fn new() -> Self {
        let mut dice = Dice::new(1);
        let mut words: Vec<String> = SMALL_WORDS.iter().map(|&word| word.to_owned()).collect();
        while words.len() < WORDS {
            let mut word = String::new();
            for _ in 0..1 + dice.below(3) {
                word.push_str(ONSETS[dice.below(ONSETS.len())]);
                word.push_str(RIMES[dice.below(RIMES.len())]);
            }
            word.push_str(ENDINGS[dice.below(ENDINGS.len())]);
            words.push(word);
        }
        Self { dice, words }
    }

    /// A word by Zipf's law: rank is exponential in an even draw.
    fn word(&mut self) -> &str {
        let last = self.words.len() as f64;
        let rank = last.powf(self.dice.share()) - 1.0;
        #[expect(
            clippy::cast_sign_loss,
            clippy::cast_possible_truncation,
            reason = "a rank"
        )]
        let rank = rank as usize;
        &self.words[rank.min(self.words.len() - 1)]
    }

    fn title(&mut self, note: usize) -> String {
        let mut title = format!("{note}");
        for _ in 0..1 + self.dice.below(3) {
            let place = SMALL_WORDS.len() + self.dice.below(6_000);
            title.push(' ');
            title.push_str(&self.words[place]);
        }
        title
    }

    fn note(&mut self, title: &str, titles: &[String]) -> String {
        let mut text = String::new();
        if self.dice.below(3) == 0 {
            let tag = self.word().to_owned();
            let _ = write!(text, "---\ntags: [area/{tag}, bench]\n---\n");
        }
        let _ = write!(text, "# {title}\n\n");
        for _ in 0..2 + self.dice.below(5) {
            let heading = self.sentence(3);
            let _ = write!(text, "## {heading}\n\n");
            for _ in 0..1 + self.dice.below(4) {
                self.block(&mut text, titles);
            }
        }
        text
    }

    fn block(&mut self, text: &mut String, titles: &[String]) {
        match self.dice.below(10) {
            0 => {
                for _ in 0..3 + self.dice.below(5) {
                    let item = self.sentence(8);
                    let _ = writeln!(text, "- {item}");
                }
            }
            1 => {
                let (name, value) = (self.word().to_owned(), self.word().to_owned());
                let _ = writeln!(text, "```rust\nlet {name}_{value} = {value}(&{name});\n```");
            }
            2 => {
                text.push_str("| name | meaning |\n| --- | --- |\n");
                for _ in 0..3 {
                    let (name, meaning) = (self.word().to_owned(), self.sentence(5));
                    let _ = writeln!(text, "| {name} | {meaning} |");
                }
            }
            _ => {
                for _ in 0..2 + self.dice.below(5) {
                    let length = 6 + self.dice.below(14);
                    let mut sentence = self.sentence(length);
                    if self.dice.below(4) == 0 {
                        let link = &titles[self.dice.below(titles.len())];
                        let _ = write!(sentence, " [[{link}]]");
                    }
                    let _ = write!(text, "{sentence}. ");
                }
                text.push('\n');
            }
        }
        text.push('\n');
    }

    fn sentence(&mut self, length: usize) -> String {
        let words: Vec<String> = (0..length).map(|_| self.word().to_owned()).collect();
        words.join(" ")
    }
}
