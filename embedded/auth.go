package embedded

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/auth"
)

// access is what a request's token allows.
type access struct {
	// of is nil for the master key and for nodes without keys: everything is allowed.
	of *auth.Access
}

// allows tells whether the token may touch an index.
func (a access) allows(uid string) bool { return a.of == nil || a.of.Allows(uid) }

// restricted tells whether some indexes are out of reach.
func (a access) restricted() bool { return a.of != nil && a.of.Restricted() }

// mayCreate tells whether a write may make a missing index.
func (a access) mayCreate() bool { return a.of == nil || a.of.MayCreate() }

// rule is what a tenant token lets be seen of an index; nil is everything.
func (a access) rule(uid string) *api.Value {
	if a.of == nil {
		return nil
	}
	return a.of.Filter(uid)
}

// filter adds the tenant's filter for an index to a request's own.
func (a access) filter(uid string, own *api.Value) *api.Value {
	return auth.JoinFilters(own, a.rule(uid))
}

// bearer returns the token of a request; ok is false when there is no header.
func bearer(r *http.Request) (token string, ok bool, err *api.Error) {
	header := r.Header.Get("Authorization")
	if _, sent := r.Header["Authorization"]; !sent {
		return "", false, nil
	}
	scheme, token, found := strings.Cut(header, " ")
	switch {
	case scheme != "Bearer":
		return "", false, api.MissingAuthorizationHeader()
	case !found:
		return "", false, api.InvalidAPIKey()
	}
	return token, true, nil
}

// authorize decides whether a request may do an action, on an index if uid is not empty.
func (c *core) authorize(r *http.Request, action, uid string) (access, *api.Error) {
	token, sent, err := bearer(r)
	if err != nil {
		return access{}, err
	}
	if c.opt.MasterKey == "" {
		if strings.HasPrefix(action, "keys.") {
			return access{}, api.MissingMasterKey()
		}
		return access{}, nil
	}
	if !sent {
		return access{}, api.MissingAuthorizationHeader()
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(c.opt.MasterKey)) == 1 {
		return access{}, nil
	}
	a, err := c.ring().Authorize(token, action, uid, c.now())
	if err != nil {
		return access{}, err
	}
	return access{a}, nil
}
