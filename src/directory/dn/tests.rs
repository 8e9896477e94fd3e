use super::*;

const ALICE: &str = "uid=alice,ou=people,dc=example,dc=org";

#[test]
fn all_spellings_of_a_dn_are_one_user() {
    for dn in [
        "UID=ALICE,OU=People,DC=Example,DC=ORG",
        "uid = alice , ou = people , dc=example,dc=org ",
        "userid=alice,organizationalUnitName=people,domainComponent=example,DC=org",
        "0.9.2342.19200300.100.1.1=alice,2.5.4.11=people,0.9.2342.19200300.100.1.25=example,dc=org",
        r"uid=\61lice,ou=p\65\6Fple,dc=example,dc=org",
        r"uid=\20 alice\20,ou=people\ ,dc=example,dc=org",
        "uid=#0405616C696365,ou=#0C0670656F706C65,dc=#16076578616d706c65,dc=org ",
        "uid=#048105616C696365 ,ou=people,dc=example,dc=org",
    ] {
        assert_eq!(normalize(dn), ALICE, "{dn}");
    }
    let two = "cn=alice liddell+uid=alice,dc=org";
    for dn in [
        "uid=alice+cn=Alice Liddell,dc=org",
        "CN=Alice   Liddell + UID=alice, DC=org",
        "cn=Alice\u{a0}\tLiddell+uid=alice,dc=org",
        r"cn=Alice\20\20Liddell+uid=alice,dc=org",
    ] {
        assert_eq!(normalize(dn), two, "{dn}");
    }
    for (one, other) in [
        ("cn=JOS\u{c9}", r"cn=jos\C3\A9"),
        (
            "cn=\u{39f}\u{394}\u{39f}\u{3a3}",
            "cn=\u{3bf}\u{3b4}\u{3bf}\u{3c3}",
        ),
        ("cn=\u{130}", "cn=i\u{307}"),
        ("cn=", r"cn=\20"),
        (r"cn=\ff", r"cn=\FF"),
        (r"cn=#0401ff", r"cn=\ff"),
        ("employeeNumber=7", "EMPLOYEENUMBER=7"),
        ("1.3.6.1.4.1.32473.1=7", " 1.3.6.1.4.1.32473.1 = 7"),
        ("cn=#0203010203", "CN=#0203010203 "),
        (
            "street=x,st=y,l=z,o=a,c=b",
            "2.5.4.9=x,2.5.4.8=y,2.5.4.7=z,2.5.4.10=a,2.5.4.6=b",
        ),
    ] {
        assert_eq!(normalize(one), normalize(other), "{one} {other}");
    }
}

#[test]
fn different_entries_never_have_one_form() {
    let names = [
        ALICE,
        "uid=bob,ou=people,dc=example,dc=org",
        "cn=alice,ou=people,dc=example,dc=org",
        "ou=people,uid=alice,dc=example,dc=org",
        "uid=alice+ou=people,dc=example,dc=org",
        r"uid=alice\,ou=people,dc=example,dc=org",
        r"uid=alice\,ou\=people,dc=example,dc=com",
        r"uid=alice\2bou=people,dc=example,dc=org",
        r"uid=alice\\,ou=people,dc=example,dc=org",
        r"uid=alice\00,ou=people,dc=example,dc=org",
        r"uid=a lice,ou=people,dc=example,dc=org",
        "uid=a,dc=org",
        "uid=#0401610500,dc=org",
        "uid=#020161,dc=org",
        r"uid=\#020161,dc=org",
        r"uid=\02\01a,dc=org",
        r"uid=\ff,dc=org",
        "uid=#ff,dc=org",
        r"uid=\\ff,dc=org",
        r"uid=\23ff,dc=org",
        r"uid=\ff\ff,dc=org",
        "uid=\u{ff},dc=org",
        "uid=,dc=org",
        "dc=org",
        "?dc=org",
        "dc=org,",
        ",dc=org",
        "uid=\"alice\",dc=org",
        "uid=alice;dc=org",
        "uid=<alice>,dc=org",
        "uid=alice\\",
        r"uid=alice\zz",
        r"uid=alice\4",
        "uid=#",
        "uid=#4",
        "uid=#zz",
        "uid=#04 05",
        "uid;lang-de=alice,dc=org",
        "2.5.4.=x",
        "2.5.4.03=x",
        "2=x",
        "=x",
        "alice",
        "",
    ];
    for (at, one) in names.iter().enumerate() {
        for other in &names[at + 1..] {
            assert_ne!(normalize(one), normalize(other), "{one:?} {other:?}");
        }
    }
}

#[test]
fn a_text_that_is_not_a_dn_is_marked() {
    for (dn, expected) in [
        ("", "?"),
        ("Alice", "?alice"),
        ("uid=Alice;dc=org", "?uid=alice;dc=org"),
        ("?UID=alice", "??uid=alice"),
        (r"uid=alice\", r"?uid=alice\"),
    ] {
        assert_eq!(normalize(dn), expected);
    }
    for kind in [
        "", "2", "2.", "2.5.4.", "2..4", "2.5.4.03", "2.5.x", "2cn", "c_n", "-cn", "cn.1",
    ] {
        let dn = format!("{kind}=x");
        assert_eq!(normalize(&dn), format!("?{dn}"));
    }
    assert_eq!(normalize("cn=A#\n#\u{1}"), r"cn=a# #\01");
    for kind in ["c-n", "c1", "0.0", "2.5.0.10", "10.20"] {
        let dn = format!("{kind}=x");
        assert_eq!(normalize(&dn), dn);
    }
    assert_eq!(normalize(r"o=x\,y\\,o=z"), r"o=x\,y\\,o=z");
}

/// A random generator with a fixed seed (xorshift64*, Vigna 2016), so that failures are reproducible.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(value).unwrap() % end
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Returns a value with many special characters, in the form in which `caseIgnoreMatch` compares it.
    fn value(&mut self) -> String {
        const LETTERS: &[char] = &[
            'a',
            'b',
            'f',
            '2',
            ' ',
            ',',
            '+',
            '=',
            '\\',
            '#',
            '"',
            ';',
            '<',
            '>',
            '?',
            '\0',
            '\n',
            '\u{e9}',
            '\u{3c3}',
            '\u{1f511}',
        ];
        let length = self.below(5);
        let value: String = (0..length).map(|_| self.of(LETTERS)).collect();
        value.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Returns a name: its RDNs, the attributes of each sorted.
    fn name(&mut self) -> Vec<Vec<(usize, String)>> {
        let length = 1 + self.below(3);
        (0..length)
            .map(|_| {
                let parts = 1 + self.below(2);
                let mut parts: Vec<_> = (0..parts)
                    .map(|_| (self.below(TYPES.len()), self.value()))
                    .collect();
                parts.sort();
                parts
            })
            .collect()
    }

    /// Writes it in one of the possible spellings.
    fn write(&mut self, name: &[Vec<(usize, String)>]) -> String {
        let names: Vec<String> = name
            .iter()
            .map(|parts| {
                let turn = self.below(parts.len());
                let mut parts = parts.clone();
                parts.rotate_left(turn);
                let parts: Vec<String> = parts
                    .iter()
                    .map(|(kind, value)| {
                        let kind = TYPES[*kind][self.below(3)];
                        let cases = [kind.to_owned(), kind.to_uppercase()];
                        let kind = &cases[self.below(2)];
                        let (left, right) = (self.of(&["", " "]), self.of(&["", "  "]));
                        format!("{left}{kind}{right}={left}{}{right}", self.spell(value))
                    })
                    .collect();
                parts.join("+")
            })
            .collect();
        names.join(",")
    }

    fn spell(&mut self, value: &str) -> String {
        if self.below(6) == 0 {
            let tag = self.of(&STRINGS);
            let octets = hex("", value.as_bytes()).to_uppercase();
            return format!("#{tag:02x}{:02x}{octets}", value.len());
        }
        let mut text = String::from(self.of(&["", r"\20", r"\ "]));
        for c in value.chars() {
            let c = self.of(&[c, c.to_uppercase().next().unwrap()]);
            match c {
                ' ' => text.push_str(self.of(&[" ", "  ", r"\20", r"\ "])),
                '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '#' | '=' if self.below(2) == 0 => {
                    text.push('\\');
                    text.push(c);
                }
                'a' | 'b' | 'f' | '2' | '?' | '\u{e9}' if self.below(2) == 0 => text.push(c),
                c => text += &hex("\\", c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        text + self.of(&["", r"\20", r"\ "])
    }
}

#[test]
fn each_name_has_one_form_of_its_own() {
    let mut random = Random(0x5eed_0003);
    let mut known = std::collections::BTreeMap::new();
    for _ in 0..20_000 {
        let name = random.name();
        let dn = random.write(&name);
        let form = normalize(&dn);
        assert_eq!(form, normalize(&random.write(&name)), "{dn:?}");
        assert!(!form.starts_with(NOT_A_DN), "{dn:?}");
        assert!(!form.chars().any(char::is_control), "{form:?}");
        let before = known.entry(form).or_insert_with(|| name.clone());
        assert_eq!(*before, name, "{dn:?}");
    }
    assert!(known.len() > 5_000);
}

#[test]
fn the_form_of_a_form_is_itself() {
    const PIECES: &[&str] = &[
        "uid", "cn", "2.5.4.3", "=", ",", "+", "\\", "#", "04", "01", "61", "a", "A", " ", "\"",
        ";", "?", "\0", "\u{e9}", "\u{130}", "\u{1e9e}", "\u{2003}", "\\20", "\\ff", "\\c3",
    ];
    let mut random = Random(0x5eed_0004);
    let mut parsed = 0;
    for turn in 0..50_000 {
        let length = random.below(12);
        let pieces: String = (0..length).map(|_| random.of(PIECES)).collect();
        let text = ["", "cn="][turn % 2].to_owned() + &pieces;
        let form = normalize(&text);
        if !form.starts_with(NOT_A_DN) {
            parsed += 1;
            assert_eq!(normalize(&form), form, "{text:?}");
        }
    }
    assert!(parsed > 1_000, "{parsed}");
}
