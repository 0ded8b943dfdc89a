package postgres

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each change of the log's protection is named, and a log as the migrations left it has none.
func TestDriftIsNamed(t *testing.T) {
	t.Parallel()
	made, dsn := open(t)
	s := openAt(t,
		Options{AppDSN: login(t, dsn, made.schema), Schema: made.schema, Clock: stoppedAtNoon})
	drift, err := s.Drift(t.Context())
	require.NoError(t, err)
	require.Empty(t, drift)
	owner, in, role := session(t, dsn), made.schema, roleOf(made.schema)
	for _, tt := range []struct{ change, finding, undo string }{
		{"alter table $.events disable trigger events_refuse",
			"the trigger events_refuse of $.events is disabled",
			"alter table $.events enable always trigger events_refuse"},
		{"alter table $.feed enable trigger feed_refuse", // not in replica mode
			"the trigger feed_refuse of $.feed is disabled",
			"alter table $.feed enable always trigger feed_refuse"},
		{"drop trigger timeline_refuse on $.timeline",
			"the trigger timeline_refuse of $.timeline is missing",
			"create trigger timeline_refuse before update on $.timeline for each statement " +
				"execute function $.refuse(); " +
				"alter table $.timeline enable always trigger timeline_refuse"},
		{"grant update on $.events to &", "& has the privilege UPDATE on $.events",
			"revoke update on $.events from &"},
		{"grant select on $.feed to public", "everyone has the privilege SELECT on $.feed",
			"revoke select on $.feed from public"},
		{"grant create on schema $ to &", "& has the privilege CREATE on schema $",
			"revoke create on schema $ from &"},
		{"grant execute on function $.refuse() to public",
			"everyone may call the function $.refuse",
			"revoke execute on function $.refuse() from public"},
		{"alter role &_login superuser", "", "alter role &_login nosuperuser"},
	} {
		text := strings.NewReplacer("&_login", in+"_login", "$", in, "&", role).Replace
		_, err := owner.Exec(t.Context(), text(tt.change))
		require.NoError(t, err, tt.change)
		drift, err := s.Drift(t.Context())
		require.NoError(t, err)
		want := text(tt.finding)
		if want == "" {
			want = "the login " + in + "_login is the owner of " + in + ", or a superuser"
		}
		require.Equal(t, []string{want}, drift)
		_, err = owner.Exec(t.Context(), text(tt.undo))
		require.NoError(t, err, tt.undo)
	}
	drift, err = s.Drift(t.Context())
	require.NoError(t, err)
	require.Empty(t, drift)
}
