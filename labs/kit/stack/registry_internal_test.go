package stack

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A registry that cannot write its journal answers nothing: after a restart the id that it would
// have told may belong to another schema.
func TestRegistryThatCannotRecord(t *testing.T) {
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
	ask := func(r *registry, method, uri, body string) int {
		w := httptest.NewRecorder()
		r.routes().ServeHTTP(w, httptest.NewRequest(method, uri, strings.NewReader(body)))
		return w.Code
	}
	r := open()
	require.NoError(t, r.journal.close()) // every write fails from here on
	for range 2 {
		require.Equal(t, http.StatusInternalServerError, ask(r, http.MethodPost, versions, schema))
	}
	require.Equal(t, http.StatusInternalServerError, ask(r, http.MethodPost, "/subjects/one", schema))
	require.Equal(t, http.StatusInternalServerError, ask(r, http.MethodGet, "/schemas/ids/1", ""))
	require.Equal(t, http.StatusInternalServerError, ask(r, http.MethodPost, "/compatibility"+versions, schema))
	require.ErrorContains(t, r.failed(), "journal")
	<-r.ended()

	r = open()
	require.Equal(t, http.StatusNotFound, ask(r, http.MethodGet, "/schemas/ids/1", ""), "nothing was recorded")
	require.Equal(t, http.StatusOK, ask(r, http.MethodPost, versions, schema))
	require.NoError(t, r.journal.close())
}
