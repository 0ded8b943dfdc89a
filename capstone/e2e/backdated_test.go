package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
)

// backdate changes the recorded_at of an event to the first day of 2001.
func (b *burglar) backdate(at contract.Position) {
	r := b.place(b.t, at).record
	for i, h := range r.Headers {
		if h.Key == "ce_time" {
			r.Headers[i] = kmsg.Header{Key: h.Key, Value: []byte("2001-01-01T00:00:00.000000Z")}
		}
	}
}

// forge records an event as the application role of the database, which may do that.
func (u *superuser) forge(recordedAt string) {
	u.exec("set role blotter_log_app")
	u.exec(`insert into events (stream, version, id, type, schema, fingerprint, effective_at,
			recorded_at, actor, approver, reason, traceparent, source, data, digest, ends,
			entered_at, command_id, source_line, submitted_by)
		select 'trade/FORGED', 1, gen_random_uuid(), type, schema, fingerprint, effective_at,
			` + "'" + recordedAt + "'" + `, actor, approver, reason, traceparent, source, data,
			digest, false, entered_at, 'forged', source_line, submitted_by
		from events order by stream, version limit 1`)
	u.exec("reset role")
}

// An event with a time before an earlier frontier is sealed and named, and so are all later
// verifications. It stops no later seal.
func TestBackdatedEventIsNamed(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	const rule = " is not after the frontier of an earlier batch, 20"
	for _, store := range []string{"kafka", "postgres"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, store)
			f.imported(lines(t, 0, 60))
			f.ok("seal")
			f.imported(lines(t, 60, 90))
			if store == "kafka" {
				b := breakIn(t, f, "")
				all := b.events()
				b.backdate(all[len(all)-1].at)
				b.commit()
			} else {
				u := signIn(t, f)
				u.forge("2001-01-01")
				u.leave()
			}
			sealed := f.run("seal")
			require.Equal(t, 1, sealed.code, sealed.stderr)
			require.Regexp(t, `^sealed to checkpoint `, sealed.stdout, "it goes on")
			require.Contains(t, sealed.complaint(), "recorded_at 2001-01-01T00:00:00Z"+rule)

			f.imported(lines(t, 90, 120))
			f.ok("seal")
			verified := f.run("verify")
			require.Equal(t, 1, verified.code, verified.stderr)
			require.Contains(t, verified.stdout, "0 past it, unanchored")
			require.Regexp(t, "^1 event has a recorded_at that cannot be true: position ",
				verified.complaint())
			require.Contains(t, verified.complaint(), "recorded_at 2001-01-01T00:00:00Z"+rule)
		})
	}
}

// An event that claims a time after it was sealed is named, and the events of other streams are
// not.
func TestEventAheadOfItsSealIsNamed(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	f := newFolder(t, "postgres")
	f.imported(lines(t, 0, 30))
	u := signIn(t, f)
	u.forge("2099-01-01")
	u.leave()
	f.imported(lines(t, 30, 60))
	sealed := f.run("seal")
	require.Equal(t, 1, sealed.code)
	require.Regexp(t, "^1 event has a recorded_at that cannot be true: position .* recorded_at "+
		"2099-01-01T00:00:00Z is after the sealing time, 20", sealed.complaint())
	f.imported(lines(t, 60, 90))
	f.ok("seal")
}
