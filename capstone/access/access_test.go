package access_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/access"
	"example.com/blotter/capstone/domain"
)

// Every cell of the matrix, role by action. x is permitted, - is denied.
func TestMatrixOfRolesAndActions(t *testing.T) {
	t.Parallel()
	order := []access.Action{access.Read, access.Investigate, access.Watch, access.Send,
		access.Book, access.Approve, access.Import, access.Unmask, access.Erase,
		access.LiftHold, access.Dispose, access.Release}
	require.ElementsMatch(t, order, access.Actions())
	matrix := map[string]string{ // and unmask, erase, lift hold, dispose, release
		"trader":        "x-xx--------",
		"operations":    "x-xxxx-----x",
		"risk":          "x-x---------",
		"compliance":    "xxx----xxxx-",
		"auditor":       "xxx---------",
		"administrator": "--x-------xx",
		"reader":        "xxx---------",
		"approver":      "-----x------",
		"importer":      "------x-----",
		"nobody":        "------------", // no policy names it
	}
	require.Len(t, matrix, len(access.Roles())+1)
	for _, role := range append(access.Roles(), "nobody") {
		for i, action := range order {
			denied := access.Default().Decide(access.Request{Principal: role + "/1",
				Roles: []string{role}, Action: action, Resource: "a", Actor: "trader/9"})
			got := "x"
			if denied != nil {
				got = "-"
			}
			require.Equal(t, matrix[role][i:i+1], got, "%s %s", role, action)
		}
	}
}

// Segregation of duties: who sent a command, or submitted it for another, does not approve it,
// whatever roles it has. An auditor never acts. The denial names the policy.
func TestDutiesAreSegregated(t *testing.T) {
	t.Parallel()
	p := access.Default()
	for _, c := range []struct {
		r    access.Request
		want string // "" is permitted
	}{
		{access.Request{Roles: []string{"operations"}, Actor: "trader/1"}, ""},
		{access.Request{Roles: []string{"operations", "trader"}, Actor: "ops/1"},
			"who-books-does-not-approve"},
		{access.Request{Roles: []string{"approver", "importer"}, Actor: "trader/1",
			SubmittedBy: "ops/1"}, "who-books-does-not-approve"},
		{access.Request{Roles: []string{"approver", "auditor"}, Actor: "trader/1"},
			"auditor-does-not-act"},
	} {
		c.r.Principal, c.r.Action, c.r.Resource = "ops/1", access.Approve, "command/C-1"
		denied := p.Decide(c.r)
		if c.want == "" {
			require.Nil(t, denied)
			continue
		}
		require.Equal(t, &access.Denied{Principal: "ops/1", Action: "command.approve",
			Resource: "command/C-1", Policy: &c.want}, denied)
	}
}

// A file of policies that could mean something else than it says is refused.
func TestBadPoliciesAreRefused(t *testing.T) {
	t.Parallel()
	const rule = `permit (principal in Role::"risk", action == Action::"query.read", resource);`
	twice := "@id(\"a\") " + rule + "\n@id(\"a\") " + rule
	for text, want := range map[string]string{
		"permit (": "policies",
		rule:       "line 1: the policy has no @id",
		twice:      "line 2: the id \"a\" is there twice",
		`@id("a") permit (principal in Role::"rsik", action, resource);`: `Role::"rsik" is not`,
		`@id("a") permit (principal, action == Action::"reed", resource);`: `Action::"reed" is ` +
			`not known`,
	} {
		_, err := access.Parse("my.cedar", []byte(text))
		require.ErrorContains(t, err, want, text)
	}
	_, err := access.Parse("my.cedar", []byte(`@id("a") `+rule))
	require.NoError(t, err)
}

// A policy that cannot be evaluated denies: Cedar would pass over the prohibition.
func TestBrokenPolicyDenies(t *testing.T) {
	t.Parallel()
	p, err := access.Parse("my.cedar", []byte(`@id("all") permit (principal, action, resource);
@id("broken") forbid (principal, action, resource) when { resource.desk == "A" };`))
	require.NoError(t, err)
	denied := p.Decide(access.Request{Principal: "a", Action: access.Read, Resource: "b"})
	require.NotNil(t, denied)
	require.Equal(t, "broken", *denied.Policy)
}

// A denial is an event under its published schema.
func TestDenialIsAnEvent(t *testing.T) {
	t.Parallel()
	policy := "auditor-does-not-act"
	for _, want := range []access.Denied{
		{Principal: "risk/1", Action: "command.send", Resource: "v1/commands"},
		{Principal: "a", Action: "b", Resource: "c", Policy: &policy},
	} {
		e, err := domain.Offline().Event(t.Context(), access.Stream(want.Principal), 0,
			domain.Entry{CommandID: "d-1", Actor: want.Principal, Reason: "denied",
				Source: "serve"}, want)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("access/", want.Principal), e.Stream)
		require.Equal(t, "access.denied", e.Type)
	}
}
