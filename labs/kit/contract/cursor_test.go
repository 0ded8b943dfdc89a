package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

type cursor = contract.Cursor

func TestCursorComparison(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name           string
		a, b           cursor
		reaches, equal bool
		distance       int64 // from b to a
	}{
		{"both at the beginning", nil, cursor{0, 0}, true, true, 0},
		{"the same cursor", cursor{3, 1}, cursor{3, 1}, true, true, 0},
		{"a missing partition is at 0", cursor{3}, cursor{3, 0}, true, true, 0},
		{"past in one partition", cursor{4, 1}, cursor{3, 1}, true, false, 1},
		{"past in two partitions", cursor{4, 5}, cursor{3, 1}, true, false, 5},
		{"before in one partition", cursor{3, 0}, cursor{3, 1}, false, false, 0},
		{"past in one, before in another", cursor{9, 0}, cursor{3, 1}, false, false, 6},
		{"fewer partitions", cursor{9}, cursor{3, 1}, false, false, 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.reaches, tc.a.Reaches(tc.b))
			require.Equal(t, tc.equal, tc.a.Equal(tc.b))
			require.Equal(t, tc.equal, tc.b.Equal(tc.a))
			require.Equal(t, tc.distance, tc.b.Distance(tc.a))
		})
	}
}

func TestCursorCovers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		cursor cursor
		at     contract.Position
		want   bool
	}{
		{nil, contract.Position{}, false},
		{cursor{3, 1}, contract.Position{Partition: 0, Offset: 2}, true},
		{cursor{3, 1}, contract.Position{Partition: 0, Offset: 3}, false},
		{cursor{3, 1}, contract.Position{Partition: 1, Offset: 0}, true},
		{cursor{3, 1}, contract.Position{Partition: 2, Offset: 0}, false},
		{cursor{3, 1}, contract.Position{Partition: -1, Offset: 0}, false},
	} {
		require.Equal(t, tc.want, tc.cursor.Covers(tc.at), "%s covers %s", tc.cursor, tc.at)
	}
}

func TestCursorMovement(t *testing.T) {
	t.Parallel()
	at := contract.Position{Partition: 1, Offset: 4}
	for _, tc := range []struct {
		name      string
		got, want cursor
	}{
		{"Max", cursor{3, 1}.Max(cursor{2, 5, 1}), cursor{3, 5, 1}},
		{"Max with nil", cursor{3, 1}.Max(nil), cursor{3, 1}},
		{"Min", cursor{3, 1}.Min(cursor{2, 5, 1}), cursor{2, 1, 0}},
		{"After a new partition", cursor{3}.After(at), cursor{3, 5}},
		{"After an earlier event", cursor{3, 9}.After(at), cursor{3, 9}},
		{"Step inside the first partition", cursor{3, 1}.Step(cursor{9, 9}, 4), cursor{7, 1}},
		{"Step into the second partition", cursor{3, 1}.Step(cursor{5, 9}, 4), cursor{5, 3}},
		{"Step up to the end", cursor{3, 1}.Step(cursor{5, 2}, 9), cursor{5, 2}},
		{"Step from past the end", cursor{7, 1}.Step(cursor{5, 9}, 4), cursor{7, 5}},
		{"Share of no part", cursor{1, 2}.Share(cursor{9, 10}, 0, 4), cursor{1, 2}},
		{"Share of one part", cursor{1, 2}.Share(cursor{9, 10}, 1, 4), cursor{3, 4}},
		{"Share of all parts", cursor{1, 2}.Share(cursor{8, 5}, 4, 4), cursor{8, 5}},
		{"Share of a new partition", cursor{1}.Share(cursor{1, 8}, 1, 2), cursor{1, 4}},
		{"Share from past the end", cursor{9}.Share(cursor{1}, 1, 2), cursor{9}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.got)
		})
	}
}

// After changes only the cursor that it returns, even if the old one has room.
func TestCursorAfterCopies(t *testing.T) {
	t.Parallel()
	room := make(cursor, 1, 4)
	first := room.After(contract.Position{Partition: 1, Offset: 4})
	second := room.After(contract.Position{Partition: 1, Offset: 7})
	require.Equal(t, cursor{0}, room)
	require.Equal(t, cursor{0, 5}, first)
	require.Equal(t, cursor{0, 8}, second)
}

func TestCursorAhead(t *testing.T) {
	t.Parallel()
	require.NoError(t, cursor{3, 1}.Ahead("the model", cursor{3, 2}))
	require.NoError(t, cursor(nil).Ahead("the model", nil))
	err := cursor{3, 2, 9}.Ahead("the model", cursor{3, 1})
	ahead := new(contract.AheadError)
	require.ErrorAs(t, err, &ahead)
	require.Equal(t, &contract.AheadError{Reader: "the model", Partition: 1, At: 2, End: 1}, ahead)
}

func TestCursorText(t *testing.T) {
	t.Parallel()
	for _, c := range []cursor{nil, {}, {3, 1}} {
		again, err := contract.ParseCursor(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
	}
	_, err := contract.ParseCursor("3,1")
	require.ErrorContains(t, err, `cursor "3,1"`)
}
