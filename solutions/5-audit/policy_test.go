package audit_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	cosignature "github.com/transparency-dev/formats/note"
	oracle "github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"

	audit "example.com/blotter/solutions/5-audit"
)

// cosigner returns the keys of a witness.
func cosigner(t require.TestingT, name string) (*cosignature.Signer, string) {
	secret, public, err := note.GenerateKey(rand.Reader, name)
	require.NoError(t, err)
	signer, err := cosignature.NewSignerForCosignatureV1(secret)
	require.NoError(t, err)
	public, err = cosignature.VKeyToCosignatureV1(public)
	require.NoError(t, err)
	return signer, public
}

// A policy of two levels holds for the same sets of cosignatures as in the library of
// transparency-dev.
func TestPolicyOfGroups(t *testing.T) {
	t.Parallel()
	key, log := keys(t)
	var signers []note.Signer
	var text strings.Builder
	for i, name := range []string{"x1", "x2", "x3", "y1", "y2"} {
		signer, public := cosigner(t, name+".example")
		signers = append(signers, signer)
		fmt.Fprintf(&text, "witness %s %s https://%s.example/\n", name, public, name)
		require.Equal(t, i+1, len(signers))
	}
	text.WriteString(" # two of x\tand one of y\n\n\tgroup  x 2 x1 x2 x3 \ngroup y any y1 y2\n" +
		"group both all x y\nquorum both\n")
	policy, err := audit.ParsePolicy([]byte(text.String()))
	require.NoError(t, err)
	require.Len(t, policy.Witnesses, 5)
	want, err := oracle.ParsePolicy([]byte(text.String()))
	require.NoError(t, err)
	for set := range 1 << len(signers) {
		by := []note.Signer{key}
		for i, signer := range signers {
			if set>>i&1 == 1 {
				by = append(by, signer)
			}
		}
		signed, err := note.Sign(&note.Note{Text: origin + "\n5\n" +
			"EJiN9uFX8xu4Jewhd6TTPt3Alvyu+o0+AZqYflXsL5w=\n"}, by...)
		require.NoError(t, err)
		all, err := policy.Check(signed, log)
		require.Len(t, all, len(by)-1)
		require.Equal(t, want.Satisfied(signed), err == nil, "%b: %v", set, err)
	}
}

func TestPolicyIsReadStrictly(t *testing.T) {
	t.Parallel()
	_, one := cosigner(t, "one.example")
	_, two := cosigner(t, "two.example")
	log := publicKey(t)
	_, renamed := cosigner(t, "three.example") // with the key of one, its hash is wrong
	parts := strings.SplitN(renamed, "+", 3)
	renamed = parts[0] + "+" + parts[1] + "+" + strings.SplitN(one, "+", 3)[2]
	w1, w2 := "witness one "+one+"\n", "witness two "+two+" http://two.example\n"
	for _, good := range []string{
		"quorum none\n", w1 + "quorum one\n", "log " + log + " https://log.example\n" + w1 + w2 +
			"group g 1 one\ngroup h all g two\nquorum h\n", w1 + "\tquorum\tone  \n#é\n",
	} {
		_, err := audit.ParsePolicy([]byte(good))
		require.NoError(t, err, good)
	}
	for bad, says := range map[string]string{
		"":                              "a policy has one line quorum, and this one has none",
		w1:                              "this one has none",
		w1 + "quorum one":               "a policy ends with a newline",
		w1 + "quorum one\r\n":           "line 2: a control character at byte 11",
		w1 + "quorum one\nquorum one\n": "line 3: a policy has one line quorum, and this is",
		"quorum one\n" + w1:             "line 1: one is not defined before",
		w1 + "quorum one # two\n":       "line 2: want log KEY [URL]",
		w1 + "witness one " + two + "\nquorum one\n":        "line 2: the name one is taken",
		"witness none " + one + "\nquorum none\n":           "line 1: the name none is taken",
		w1 + "witness two " + one + "\nquorum one\n":        "a witness before has the same",
		"log " + log + "\nlog " + log + "\nquorum none\n":   "a log before has the same public key",
		"log " + one + "\nquorum none\n":                    "line 1: the key of a log, ",
		"witness one " + log + "\nquorum one\n":             "it is no key of cosignatures",
		"witness one " + renamed + "\nquorum one\n":         "its hash is wrong",
		w1 + "group g 2 one\nquorum g\n":                    "or a number from 1 to 1",
		w1 + "group g 0 one\nquorum g\n":                    `the threshold "0"`,
		w1 + "group g 01 one\nquorum g\n":                   `the threshold "01"`,
		w1 + "group g all\nquorum g\n":                      "line 2: want log KEY [URL]",
		w1 + "group g all none\nquorum g\n":                 "none is not defined before",
		w1 + "group g any one\ngroup h any one\nquorum h\n": "or is in a group already",
		w1 + "group g any h\ngroup h any g\nquorum g\n":     "h is not defined before",
	} {
		_, err := audit.ParsePolicy([]byte(bad))
		require.ErrorContains(t, err, says, bad)
	}
}
