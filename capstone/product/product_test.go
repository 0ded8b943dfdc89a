package product_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/product"
)

const valid = `# a comment
DATA=d
NAME=n
ORIGIN=logs.example/{name}
SNAPSHOT_BUCKET={name}-s
OFFLOAD_BUCKET={name}-o
AUDIT_BUCKET=a-{name}
RETENTION=43800h
LOCK=GOVERNANCE
SOURCE=desk
`

func TestParse(t *testing.T) {
	t.Parallel()
	s, err := product.Parse(valid)
	require.NoError(t, err)
	require.Equal(t, product.Settings{
		Data: "d", Name: "n", Origin: "logs.example/{name}", SnapshotBucket: "{name}-s",
		OffloadBucket: "{name}-o", AuditBucket: "a-{name}", Retention: 43800 * time.Hour,
		Lock: "GOVERNANCE", Source: "desk",
	}, s)
	require.Equal(t, "a-desk", product.Of(s.AuditBucket, "desk"))
	require.Positive(t, product.Defaults.Retention)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, new, want string }{
		{"NAME=n", "NAMES=n", `product.env:3: "NAMES=n": want AUDIT_BUCKET, DATA, LOCK, NAME`},
		{"NAME=n", "DATA=n", `product.env:3: "DATA=n"`},
		{"NAME=n", "NAME=", `product.env:3: "NAME="`},
		{"NAME=n", "", "NAME is missing"},
		{"43800h", "5 years", "RETENTION=5 years: want a duration such as 24h"},
		{"43800h", "0s", "RETENTION=0s"},
		{"GOVERNANCE", "none", "LOCK=none: want COMPLIANCE or GOVERNANCE"},
		{"a-{name}", "audit", "audit: want {name} in it, once"},
		{"a-{name}", "{name}-s", "two buckets have one name"},
	} {
		_, err := product.Parse(strings.Replace(valid, c.old, c.new, 1))
		require.ErrorContains(t, err, c.want)
	}
}
