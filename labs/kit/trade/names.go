package trade

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// An Alphabet is the form of one kind of identifier. Identifiers are ASCII, so two that look the
// same are the same.
type Alphabet struct {
	Longest int    // characters
	Want    string // for people
	chars   ascii  // every character is one of these
	first   ascii  // the first character is one of these
}

// An ascii is a set of ASCII characters, as one bit for each.
type ascii [2]uint64

func asciiOf(chars string) (set ascii) {
	for _, c := range []byte(chars) {
		set[c/64] |= 1 << (c % 64)
	}
	return set
}

func (set ascii) has(c byte) bool { return c < 128 && set[c/64]>>(c%64)&1 == 1 }

const (
	numerals = "0123456789"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	smalls   = "abcdefghijklmnopqrstuvwxyz"
	marks    = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

	printables = capitals + smalls + numerals + marks
)

// The alphabets of all identifiers.
var (
	// UTIs allows the capital letters and digits of ISO 23897 (Unique transaction identifier), its
	// length, and four marks that desks use. It has no slash, so that the streams of trades differ
	// from those of curves; see Subject.
	UTIs = Alphabet{52, "capital letters, digits and . _ : -, a letter or digit first",
		asciiOf(capitals + numerals + "._:-"), asciiOf(capitals + numerals)}
	// Principals are the people and programs that act: actors, approvers and traders.
	Principals = Alphabet{64, "small letters, digits and . _ / @ | -, a letter or digit first",
		asciiOf(smalls + numerals + "._/@|-"), asciiOf(smalls + numerals)}
	CommandIDs = Alphabet{128, "printable ASCII without blanks",
		asciiOf(printables), asciiOf(printables)}
	// References are books, curves, counterparties and delivery points.
	References = Alphabet{128, "ASCII letters, digits and . _ - /",
		asciiOf(capitals + smalls + numerals + "._-/"),
		asciiOf(capitals + smalls + numerals + "._-/")}
)

// Has reports whether s is an identifier of a.
func (a Alphabet) Has(s string) bool {
	if s == "" || len(s) > a.Longest || !a.first.has(s[0]) {
		return false
	}
	for i := range len(s) {
		if !a.chars.has(s[i]) {
			return false
		}
	}
	return true
}

// check refuses an identifier that is not of a.
func (a Alphabet) check(what, value string) *Refusal {
	if !a.Has(value) {
		return refuse(BadTerms, "%s %q: want %s, at most %d characters", what, value, a.Want,
			a.Longest)
	}
	return nil
}

// IsPrintable reports whether a reader sees r. It excludes control characters, blanks other than
// the space, the controls of bidirectional text, and the characters that Unicode may leave
// invisible (Default_Ignorable_Code_Point; U+2800 is a pattern of Braille without a dot).
func IsPrintable(r rune) bool {
	return unicode.IsPrint(r) && r != '\u2800' &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// IsNormal reports whether s is in Unicode Normalization Form C (UAX 15), in which every text has
// one spelling.
func IsNormal(s string) bool { return norm.NFC.IsNormalString(s) }

// checkText refuses a text for people that some reader would not see as it is recorded.
func checkText(what, value string) *Refusal {
	printable := utf8.ValidString(value)
	for _, r := range value {
		printable = printable && IsPrintable(r)
	}
	if value == "" || !printable || !IsNormal(value) {
		return refuse(BadTerms, "%s %q is empty, or not NFC, or has an invisible character", what,
			value)
	}
	return nil
}

// checkNames refuses the identifiers of a command that are not of their alphabet.
func (c Command) checkNames() *Refusal {
	if r := CommandIDs.check("command id", c.ID); r != nil {
		return r
	}
	if r := Principals.check("actor", c.Actor); r != nil {
		return r
	}
	if c.Approver != "" {
		if r := Principals.check("approver", c.Approver); r != nil {
			return r
		}
	}
	return checkText("reason", c.Reason)
}
