// Package access decides by policies which principal may do which action. The policies are a file
// in the language Cedar: the default is policies.cedar.
//
//	entity              attributes             in
//	User::"trader/1"    name                   Role::"trader", for each of its roles
//	Resource::"..."     actor, submitted_by
//	Action::"..."
//
// A request is denied unless a policy permits it and no policy forbids it. A policy that cannot be
// evaluated denies, too: Cedar itself would pass over it, and with it over a prohibition.
package access

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// An Action is a kind of request.
type Action string

// The actions of a service.
const (
	Read        Action = "query.read"        // positions, trades, histories, the feed
	Investigate Action = "query.investigate" // the questions of an investigation
	Watch       Action = "service.watch"     // the state of the service and of its checkpoints
	Send        Action = "command.send"      // commands as itself
	Book        Action = "ledger.send"       // commands about books as itself
	Approve     Action = "command.approve"   // pending commands of others
	Import      Action = "command.import"    // lines of files, which name other actors
	Unmask      Action = "personal.unmask"   // personal data, with a reason
	Erase       Action = "personal.erase"    // personal data, by two principals
	LiftHold    Action = "hold.lift"         // by two principals
	Dispose     Action = "records.dispose"   // of archived records that are due, by two principals
	Release     Action = "schema.release"    // a new version of a schema: steps of its canary
)

// Actions returns all actions.
func Actions() []Action {
	return []Action{Read, Investigate, Watch, Send, Book, Approve, Import, Unmask, Erase,
		LiftHold, Dispose, Release}
}

// Roles returns the roles that policies may name. Most principals have the role of their
// department. The last three are for programs, and for single rights beside such a role.
func Roles() []string {
	return []string{"trader", "operations", "risk", "compliance", "auditor", "administrator",
		"reader", "approver", "importer"}
}

// A Request asks whether a principal may do an action.
type Request struct {
	Principal string
	Roles     []string
	Action    Action
	Resource  string // such as v1/position, or command/C-17

	Actor       string // Approve: of the command; otherwise empty
	SubmittedBy string // Approve: who signed in to send the command; otherwise empty
}

// A Denied is the fact that a request was denied: the event access.denied.
type Denied struct {
	Principal string  `avro:"principal"`
	Action    string  `avro:"action"`
	Resource  string  `avro:"resource"`
	Policy    *string `avro:"policy"` // the policy that forbids it; nil if none permits it
}

// EventType implements domain.Body.
func (Denied) EventType() string { return "access.denied" }

// An Extracted is the fact that a principal made a certified extract: the event access.extracted.
type Extracted struct {
	Manifest   string `avro:"manifest"` // its SHA-256, in hexadecimal
	Query      string `avro:"query"`
	Events     int64  `avro:"events"`
	Checkpoint int64  `avro:"checkpoint"`
}

// EventType implements domain.Body.
func (Extracted) EventType() string { return "access.extracted" }

// Stream returns the stream that records the denials and the extracts of a principal.
func Stream(principal string) string { return "access/" + principal }

// Policies decide requests. They are safe for concurrent use.
type Policies struct{ set *cedar.PolicySet }

//go:embed policies.cedar
var defaults []byte

// Default returns the policies of this program.
func Default() *Policies {
	p, err := Parse("policies.cedar", defaults)
	if err != nil {
		panic(err) // the file is wrong; the tests read it
	}
	return p
}

// Parse reads policies. Every policy needs an id of its own (@id), by which a denial names it, and
// may name only actions and roles of this program: a misspelled one would never match.
func Parse(file string, text []byte) (*Policies, error) {
	set, err := cedar.NewPolicySetFromBytes(file, text)
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	p, seen := &Policies{set}, map[string]bool{}
	var all []*cedar.Policy
	for _, policy := range set.All() {
		all = append(all, policy)
	}
	slices.SortFunc(all, func(a, b *cedar.Policy) int { // the set has no order
		return cmp.Compare(a.Position().Offset, b.Position().Offset)
	})
	for _, policy := range all {
		id := string(policy.Annotations()["id"])
		line := policy.Position().Line
		switch {
		case id == "":
			return nil, fmt.Errorf("policies: %s, line %d: the policy has no @id", file, line)
		case seen[id]:
			return nil, fmt.Errorf("policies: %s, line %d: the id %q is there twice",
				file, line, id)
		}
		seen[id] = true
		if name := unknown(string(policy.MarshalCedar())); name != "" {
			return nil, fmt.Errorf("policies: %s, line %d: %s is not known: the actions are %v, "+
				"the roles %v", file, line, name, Actions(), Roles())
		}
	}
	return p, nil
}

// unknown returns the first action or role of a policy that this program does not know.
func unknown(policy string) string {
	for _, kind := range []struct {
		prefix string
		knows  func(string) bool
	}{
		{`Action::"`, func(n string) bool { return slices.Contains(Actions(), Action(n)) }},
		{`Role::"`, func(n string) bool { return slices.Contains(Roles(), n) }},
	} {
		parts := strings.Split(policy, kind.prefix)
		for _, part := range parts[1:] {
			if name, _, _ := strings.Cut(part, `"`); !kind.knows(name) {
				return kind.prefix + name + `"`
			}
		}
	}
	return ""
}

// Decide returns nil for a permitted request, and otherwise the denial.
func (p *Policies) Decide(r Request) *Denied {
	user := cedar.NewEntityUID("User", cedar.String(r.Principal))
	resource := cedar.NewEntityUID("Resource", cedar.String(r.Resource))
	var roles []types.EntityUID
	for _, role := range r.Roles {
		roles = append(roles, cedar.NewEntityUID("Role", cedar.String(role)))
	}
	entities := cedar.EntityMap{
		user: {UID: user, Parents: cedar.NewEntityUIDSet(roles...),
			Attributes: record("name", r.Principal)},
		resource: {UID: resource,
			Attributes: record("actor", r.Actor, "submitted_by", r.SubmittedBy)},
	}
	decision, why := cedar.Authorize(p.set, entities, cedar.Request{Principal: user,
		Action: cedar.NewEntityUID("Action", cedar.String(r.Action)), Resource: resource})
	if decision == cedar.Allow && len(why.Errors) == 0 {
		return nil
	}
	denied := &Denied{Principal: r.Principal, Action: string(r.Action), Resource: r.Resource}
	switch {
	case len(why.Errors) > 0:
		denied.Policy = p.idOf(why.Errors[0].PolicyID)
	case len(why.Reasons) > 0: // of a denial: the policies that forbid
		denied.Policy = p.idOf(why.Reasons[0].PolicyID)
	}
	return denied
}

func (p *Policies) idOf(policy cedar.PolicyID) *string {
	id := string(p.set.Get(policy).Annotations()["id"])
	return &id
}

func record(fields ...string) cedar.Record {
	all := cedar.RecordMap{}
	for i := 0; i < len(fields); i += 2 {
		all[cedar.String(fields[i])] = cedar.String(fields[i+1])
	}
	return cedar.NewRecord(all)
}
