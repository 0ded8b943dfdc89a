package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	codec "example.com/blotter/solutions/1-schemas"
	memorystore "example.com/blotter/solutions/2-store/memory"
)

// A program reads the findings on standard output, most of all where a check does not hold.
func TestRefutedCheckIsAnsweredInJSON(t *testing.T) {
	t.Parallel()
	system := capstone.New(memorystore.New(contract.SimulatedClock), codec.Offline(), "test")
	for want, refute := range map[string]func(*app) error{
		`{"equal":false,"snapshot":"month-end","events":7,"difference":{"line":3,
			"archived":"a","replayed":"b","stream":"","version":0,
			"what":"line 3, which is no canonical line"}}`: func(a *app) error {
			return a.different(t.Context(), caveat{}, system, capstone.Replayed{
				Snapshot: contract.Snapshot{Name: "month-end"}, Events: 7,
				Difference: &contract.Difference{Line: 3, Archived: "a", Replay: "b"},
			})
		},
		`{"holds":false,"batches":2,"sealed":0,"since":0,"unanchored":0,"offenders":[],
			"witnesses":[],"signers":[],"foreign":[{"name":"junk","what":"malformed"}],
			"checkpoint":{"origin":"desk.example","size":9,"note":"",
				"root":"` + strings.Repeat("00", 32) + `"},
			"fault":{"what":"it was changed","leaf":4,
				"position":{"partition":1,"offset":5}}}`: func(a *app) error {
			return a.verified(caveat{}, contract.Verification{
				Checkpoint: contract.Checkpoint{Origin: "desk.example", Size: 9}, Batches: 2,
				Fault: &contract.Fault{
					Position: contract.Position{Partition: 1,
						Offset: 5}, Leaf: 4, What: "it was changed",
				},
			}, map[string]error{"junk": errors.New("malformed")}, besides{})
		},
	} {
		var out strings.Builder
		var failed *failure
		require.ErrorAs(t, refute(newApp(&cli{Format: "json"}, &out, io.Discard)), &failed)
		var answer struct{ Answer json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(out.String()), &answer))
		require.JSONEq(t, want, string(answer.Answer))

		out.Reset()
		require.ErrorAs(t, refute(newApp(&cli{}, &out, io.Discard)), &failed)
		require.Empty(t, out.String(), "people read the error")
	}
}

// A log does not hold if its database or its index has more, or if its cosignatures could not be
// checked. The verification is printed before the failure.
func TestHoldsCoversEveryCheck(t *testing.T) {
	t.Parallel()
	failed := errors.New("it failed")
	for _, more := range []besides{{unwitnessed: failed}, {stray: failed}, {}} {
		var out strings.Builder
		err := newApp(&cli{Format: "json"}, &out, io.Discard).verified(caveat{},
			contract.Verification{Checkpoint: contract.Checkpoint{Size: 9}}, nil, more)
		require.Equal(t, more.failed(), err)
		var printed struct{ Answer struct{ Holds bool } }
		require.NoError(t, json.Unmarshal([]byte(out.String()), &printed))
		require.Equal(t, err == nil, printed.Answer.Holds)
	}
}
