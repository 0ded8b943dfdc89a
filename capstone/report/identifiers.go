package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	leiForm  = regexp.MustCompile(`^[A-Z0-9]{18}[0-9]{2}$`)
	utiForm  = regexp.MustCompile(`^[A-Z0-9]{18}[0-9]{2}[A-Z0-9]{1,32}$`)
	isinForm = regexp.MustCompile(`^[A-Z]{2}[A-Z0-9]{9}[0-9]$`)
	eicForm  = regexp.MustCompile(`^[0-9]{2}[XYZTWVA][A-Z0-9-]{12}[A-Z0-9]$`)
	micForm  = regexp.MustCompile(`^[A-Z0-9]{4}$`)
)

// CheckLEI checks a legal entity identifier (ISO 17442-1): 18 capital letters and digits, and two
// check digits. With A = 10 to Z = 35, the number modulo 97 is 1 (ISO/IEC 7064, MOD 97-10).
func CheckLEI(s string) error {
	if !leiForm.MatchString(s) {
		return fmt.Errorf("%q is not an LEI: want 18 capital letters or digits and 2 digits", s)
	}
	if mod97(s) != 1 {
		return fmt.Errorf("%q is not an LEI: its check digits are wrong", s)
	}
	return nil
}

// mod97 returns the number that s spells, with A = 10 to Z = 35, modulo 97.
func mod97(s string) int {
	n := 0
	for _, c := range []byte(s) {
		if v := valueOf(c); v < 10 {
			n = (n*10 + v) % 97
		} else {
			n = (n*100 + v) % 97
		}
	}
	return n
}

// valueOf returns 0 to 9 for digits, 10 to 35 for A to Z, and 36 for a hyphen.
func valueOf(c byte) int { return strings.IndexByte(alphabet, c) }

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"

// CheckUTI checks a unique transaction identifier (ISO 23897): an LEI of its creator, and up to 32
// capital letters and digits after it.
func CheckUTI(s string) error {
	if !utiForm.MatchString(s) {
		return fmt.Errorf("%q is not a UTI: want the LEI of its creator, "+
			"and 1 to 32 capital letters or digits", s)
	}
	if err := CheckLEI(s[:20]); err != nil {
		return fmt.Errorf("%q is not a UTI: %w", s, err)
	}
	return nil
}

// CheckISIN checks an international securities identification number (ISO 6166): letters are
// expanded to two digits, and the check digit is that of Luhn (ISO/IEC 7812-1, annex B).
func CheckISIN(s string) error {
	if !isinForm.MatchString(s) {
		return fmt.Errorf("%q is not an ISIN: want 2 capital letters, 9 letters or digits, "+
			"and a digit", s)
	}
	var digits []int
	for _, c := range []byte(s) {
		if v := valueOf(c); v < 10 {
			digits = append(digits, v)
		} else {
			digits = append(digits, v/10, v%10)
		}
	}
	slices.Reverse(digits)
	sum := 0
	for i, d := range digits {
		if i%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	if sum%10 != 0 {
		return fmt.Errorf("%q is not an ISIN: its check digit is wrong", s)
	}
	return nil
}

// CheckEIC checks an energy identification code: the issuing office, the type of object, twelve
// characters, and a check character. The characters have the weights 16 to 2, and the check
// character the value 36 - ((sum - 1) mod 37) (ENTSO-E, The Energy Identification Coding Scheme
// (EIC) Reference Manual, section on the check character).
func CheckEIC(s string) error {
	if !eicForm.MatchString(s) {
		return fmt.Errorf("%q is not an EIC: want 2 digits, a letter for the type, "+
			"12 capital letters, digits or hyphens, and a check character", s)
	}
	sum := 0
	for i, c := range []byte(s[:15]) {
		sum += valueOf(c) * (16 - i)
	}
	if want := alphabet[36-(sum+36)%37]; s[15] != want {
		return fmt.Errorf("%q is not an EIC: its check character should be %c", s, want)
	}
	return nil
}

// CheckMIC checks the form of a market identifier code (ISO 10383). It has no check digit, and this
// program does not have the list of codes.
func CheckMIC(s string) error {
	if !micForm.MatchString(s) {
		return fmt.Errorf("%q is not a MIC: want 4 capital letters or digits", s)
	}
	return nil
}
