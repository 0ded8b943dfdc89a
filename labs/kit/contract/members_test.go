package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

func TestMembersAreUnique(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `7`, `[{"a":1},{"a":2}]`, `{"a":{"a":{"a":1}},"b":[]}`, ` {"a":"a","b":"a"} `,
	} {
		require.NoError(t, contract.CheckMembers([]byte(text)), text)
	}
	for text, says := range map[string]string{
		`{"a":1,"a":1}`:               `the member "a" is given twice`,
		`{"a":1,"\u0061":1}`:          `the member "a" is given twice`,
		`{"a":1,"A":1}`:               `the member "A" is given twice`,
		`{"\u017fize":1,"size":1}`:    `the member "size" is given twice`,
		`{"\u212aey":1,"key":1}`:      `the member "key" is given twice`,
		`[0,{"x":[{"b":{},"b":[]}]}]`: `the member "b" is given twice`,
		`{"a":1} {"a":1}`:             `invalid character '{' after top-level value`,
		`{"a":1`:                      `unexpected end of JSON input`,
		``:                            `unexpected end of JSON input`,
	} {
		require.EqualError(t, contract.CheckMembers([]byte(text)), says, text)
	}
}
