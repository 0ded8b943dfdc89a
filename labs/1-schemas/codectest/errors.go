package codectest

import (
	"errors"
	"slices"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// faults are what a codec can say of a value or of data. A caller branches on them, so an error is one of them: one that is all of them at once
// says nothing.
var faults = []error{
	contract.ErrUnencodable, contract.ErrMagic, contract.ErrTruncated, contract.ErrTrailing, contract.ErrOversize, contract.ErrMalformed,
	contract.ErrUnknownSchema, contract.ErrWrongType, contract.ErrOffloaded,
}

// only says that err is want, and no other fault but those that it may be as well.
func only(t check.T, what string, err, want error, may ...error) {
	require.ErrorIs(t, err, want, "%s", what)
	for _, other := range faults {
		if other != want && !slices.Contains(may, other) {
			require.NotErrorIs(t, err, other, "%s: it is %q", what, want)
		}
	}
}

// none says that err is there, and no fault of the data.
func none(t check.T, what string, err error) {
	require.Error(t, err, "%s", what)
	for _, fault := range faults {
		require.NotErrorIs(t, err, fault, "%s", what)
	}
}

// one says whether err is a single fault, and one of these.
func one(err error, of ...error) bool {
	found := 0
	for _, fault := range faults {
		if errors.Is(err, fault) {
			found++
		}
	}
	return found == 1 && slices.ContainsFunc(of, func(fault error) bool { return errors.Is(err, fault) })
}
