package serve

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"example.com/blotter/labs/kit/trade"
)

// Passwords are the local principals: a JSON file of names, bcrypt hashes and roles.
//
//	{"trader/1":{"hash":"$2a$10$…","roles":["reader","trader"]}}
//
// A changed file counts at the next request.
type Passwords struct {
	path string

	mu      sync.Mutex
	changed time.Time
	size    int64
	local   map[string]Local
	known   map[[sha256.Size]byte]bool // the pairs of name and password that were right
	key     []byte                     // of the digests in known
	hashing chan struct{}
}

// Local is a local principal.
type Local struct {
	Hash  string `json:"hash"`
	Roles []Role `json:"roles"`
}

// ErrBusy is a password that is not checked, because others are.
var ErrBusy = errors.New("too many passwords are checked at once: try again")

// OpenPasswords opens a file of local principals. A missing file has none.
func OpenPasswords(path string) (*Passwords, error) {
	p := &Passwords{path: path, key: make([]byte, 32), hashing: make(chan struct{}, 1)}
	rand.Read(p.key)
	_, err := p.load()
	return p, err
}

// load returns the principals in the file.
func (p *Passwords) load() (map[string]Local, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		p.local, p.known, p.changed = nil, nil, time.Time{}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if p.local != nil && info.ModTime().Equal(p.changed) && info.Size() == p.size {
		return p.local, nil
	}
	local, err := ReadLocal(p.path)
	if err != nil {
		return nil, err
	}
	p.local, p.known = local, map[[sha256.Size]byte]bool{}
	p.changed, p.size = info.ModTime(), info.Size()
	return local, nil
}

// ReadLocal reads a file of local principals. A missing file has none.
func ReadLocal(path string) (map[string]Local, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]Local{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string]Local{}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for name, l := range all {
		if err := l.check(name); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
}

func (l Local) check(name string) error {
	if err := CheckLocal(name, l.Roles); err != nil {
		return err
	}
	_, err := bcrypt.Cost([]byte(l.Hash))
	return err
}

// CheckLocal is CheckPrincipal for a local principal. It also refuses the names of others.
func CheckLocal(name string, roles []Role) error {
	for _, prefix := range []string{oidcNames, certNames, tokenNames} {
		if strings.HasPrefix(name, prefix) {
			return fmt.Errorf("principal %q: no local name begins with %s", name, prefix)
		}
	}
	return CheckPrincipal(name, roles)
}

// CheckPrincipal refuses a name that no event can have as its actor, and an unknown role.
func CheckPrincipal(name string, roles []Role) error {
	if of := trade.Principals; !of.Has(name) || len(name) > of.Longest {
		return fmt.Errorf("principal %q: want %s", name, of.Want)
	}
	for _, r := range roles {
		if !slices.Contains(Roles(), r) {
			return fmt.Errorf("principal %q: there is no role %q", name, string(r))
		}
	}
	return nil
}

// NewLocal returns a local principal. A password has 8 to 72 bytes: bcrypt reads no more.
func NewLocal(password string, roles []Role) (Local, error) {
	if len(password) < 8 {
		return Local{}, errors.New("the password has fewer than 8 bytes")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	return Local{string(hash), roles}, err
}

// unknownHash is compared in place of that of an unknown name, so both take as long.
var unknownHash = sync.OnceValue(func() []byte {
	hash, err := bcrypt.GenerateFromPassword([]byte(rand.Text()), bcrypt.DefaultCost)
	if err != nil {
		panic(err)
	}
	return hash
})

// SignIn implements Authenticator by HTTP Basic authentication (RFC 7617).
func (p *Passwords) SignIn(r *http.Request) (*Principal, error) {
	name, password, ok := r.BasicAuth()
	if !ok {
		return nil, nil
	}
	all, err := p.load()
	if err != nil {
		return nil, err
	}
	l, exists := all[name]
	good, err := p.compare(name, password, l.Hash, exists)
	if err != nil {
		return nil, err
	}
	if !good || !exists {
		return nil, &SignInError{BadCredential, "password of " + name}
	}
	return &Principal{name, l.Roles}, nil
}

// compare compares a password with a hash. It takes a while on purpose, so a right pair is kept in
// memory, as a digest under a key of this process. Only one password is compared at once.
func (p *Passwords) compare(name, password, hash string, exists bool) (bool, error) {
	mac := hmac.New(sha256.New, p.key)
	fmt.Fprintf(mac, "%d:%s%s%s", len(name), name, password, hash)
	pair := [sha256.Size]byte(mac.Sum(nil))
	p.mu.Lock()
	known := p.known[pair]
	p.mu.Unlock()
	if known {
		return true, nil
	}
	wait := time.NewTimer(2 * time.Second)
	defer wait.Stop()
	select {
	case p.hashing <- struct{}{}:
		defer func() { <-p.hashing }()
	case <-wait.C:
		return false, ErrBusy
	}
	want := []byte(hash)
	if !exists {
		want = unknownHash()
	}
	if bcrypt.CompareHashAndPassword(want, []byte(password)) != nil {
		return false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil {
		p.known[pair] = true
	}
	return true, nil
}

// A Token is a fixed bearer token (RFC 6750) of one principal.
type Token struct {
	Secret    string
	Principal Principal
}

// SignIn implements Authenticator. It leaves other tokens to others.
func (t Token) SignIn(r *http.Request) (*Principal, error) {
	got, ok := bearer(r)
	if !ok || subtle.ConstantTimeCompare([]byte(got), []byte(t.Secret)) == 0 {
		return nil, nil
	}
	p := t.Principal
	return &p, nil
}

// UnknownTokens refuses every bearer token. It comes after the authenticators that know some.
type UnknownTokens struct{}

// SignIn implements Authenticator.
func (UnknownTokens) SignIn(r *http.Request) (*Principal, error) {
	if r.Header.Get("Authorization") == "" {
		return nil, nil
	}
	return nil, &SignInError{BadCredential, "an unknown token"}
}

// bearer returns the bearer token of a request.
func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}
