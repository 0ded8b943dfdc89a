package trade_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

func TestAlphabetsOfIdentifiers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of   trade.Alphabet
		has  []string
		lack []string
	}{
		{trade.UTIs, []string{"A", "9", "T70-N", "549300ABCD:1._-", strings.Repeat("A", 52)},
			[]string{"idem", "IDEM ", "IDEM\u200b", "-A", ".A", "A/B", "É", "Α", "A|B",
				strings.Repeat("A", 53)}},
		{trade.Principals, []string{"ops/2", "9", "a@b|c_d-e.f", trade.FollowUpActor,
			trade.FollowUpApprover, strings.Repeat("a", 64)},
			[]string{"ops/2 ", "OPS/2", "ops/2\u200b", "оps/2", "/ops", "a:b",
				strings.Repeat("a", 65)}},
		{trade.CommandIDs, []string{"c-1", "!", "~", `a"\{}`, "follow-up/x/2",
			strings.Repeat("c", 128)},
			[]string{"c 1", "c\t", "c\x7f", "c\u00a0", "ç", strings.Repeat("c", 129)}},
		{trade.References, []string{"CP-A", "power/CET/base", "power-prop", "a_b.C", "-", "DE-LU"},
			[]string{"a b", "a@b", "a:b", "cpty/<8>", "ä", "a\n", strings.Repeat("b", 129)}},
	} {
		for _, s := range c.has {
			require.True(t, c.of.Has(s), "%q: %s", s, c.of.Want)
		}
		for _, s := range append(c.lack, "") {
			require.False(t, c.of.Has(s), "%q: %s", s, c.of.Want)
		}
	}
}

func TestInvisibleCharacters(t *testing.T) {
	t.Parallel()
	for _, r := range " aé漢€😀-\u0301" {
		require.True(t, trade.IsPrintable(r), "%+q", r)
	}
	for _, r := range []rune{
		0, '\n', 0x7f, 0x85, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180b, 0x180e,
		0x2003, 0x200b, 0x200d, 0x200e, 0x2028, 0x202e, 0x2060, 0x2066, 0x206f, 0x2800, 0x3000,
		0x3164, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0x1d173, 0xe0001, 0xe0100, 0xe000,
	} {
		require.False(t, trade.IsPrintable(r), "%U", r)
	}
}

// A command by a name that looks like another is refused, whatever its stream.
func TestNamesThatLookLikeOthers(t *testing.T) {
	t.Parallel()
	mark := trade.Command{ID: "m-1", EnteredAt: first, Actor: "risk/1", Reason: "close",
		Body: trade.PriceMarked{Curve: "oil/BRENT", Currency: "USD",
			Points: []trade.Point{{Delivery: period("2025-06"), Price: dec("76")}}}}
	for _, cmd := range []trade.Command{of(T, bought), mark} {
		_, err := trade.Decide(nil, cmd)
		require.NoError(t, err)
		for what, change := range map[string]func(*trade.Command){
			"id":                 func(c *trade.Command) { c.ID += "\u200b" },
			"no id":              func(c *trade.Command) { c.ID = "" },
			"actor":              func(c *trade.Command) { c.Actor = "OPS/2" },
			"approver":           func(c *trade.Command) { c.Approver = "ops/2 " },
			"a hidden approver":  func(c *trade.Command) { c.Approver = "ops/2\u200b" },
			"no reason":          func(c *trade.Command) { c.Reason = "" },
			"reason in pieces":   func(c *trade.Command) { c.Reason = "cafe\u0301" },
			"hidden reason":      func(c *trade.Command) { c.Reason = "a\u202eb" },
			"a filler in it":     func(c *trade.Command) { c.Reason = "a\u3164b" }, // a letter
			"reason with U+0000": func(c *trade.Command) { c.Reason = "a\x00" },
		} {
			wrong := cmd
			change(&wrong)
			_, err := trade.Decide(nil, wrong)
			var refusal *trade.Refusal
			require.ErrorAs(t, err, &refusal, what)
			require.Equal(t, trade.BadTerms, refusal.Rule, what)
		}
	}
}
