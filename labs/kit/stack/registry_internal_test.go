package stack

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A registry that cannot write its journal refuses every request: a client could learn the id of a
// schema that is not on disk, and after a restart the id may belong to another schema.
func TestRegistryWithoutJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *registry {
		r := newRegistry(nil)
		var err error
		r.journal, err = openJournal(dir, r.replay)
		require.NoError(t, err)
		return r
	}
	const versions, schema = "/subjects/one/versions", `{"schema":"\"string\""}`
	send := func(r *registry, method, uri, body string) int {
		w := httptest.NewRecorder()
		r.routes().ServeHTTP(w, httptest.NewRequest(method, uri, strings.NewReader(body)))
		return w.Code
	}
	r := open()
	require.NoError(t, r.journal.close()) // all later writes fail
	const refused = http.StatusInternalServerError
	for range 2 {
		require.Equal(t, refused, send(r, http.MethodPost, versions, schema))
	}
	require.Equal(t, refused, send(r, http.MethodPost, "/subjects/one", schema))
	require.Equal(t, refused, send(r, http.MethodGet, "/schemas/ids/1", ""))
	require.Equal(t, refused, send(r, http.MethodPost, "/compatibility"+versions, schema))
	require.ErrorContains(t, r.failed(), "journal")
	<-r.ended()

	r = open()
	require.Equal(t, http.StatusNotFound, send(r, http.MethodGet, "/schemas/ids/1", ""),
		"the journal is empty")
	require.Equal(t, http.StatusOK, send(r, http.MethodPost, versions, schema))
	require.NoError(t, r.journal.close())
}

// A subject that does not exist has no versions. Any other refusal to list them is an error: a
// schema that was judged against none would be accepted.
func TestVersionsThatCannotBeListed(t *testing.T) {
	t.Parallel()
	r := newRegistry(nil)
	none, err := r.published("one", "")
	require.NoError(t, err)
	require.Empty(t, none)
	r.inner = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	})
	_, err = r.published("one", "")
	require.ErrorContains(t, err, "status 500")
}
