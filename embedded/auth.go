package embedded

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
)

// access is what a request's token allows.
type access struct {
	// key is nil for the master key and for nodes without keys: everything is allowed.
	key *apiKey
	// rules are the search rules of a tenant token; nil without one.
	rules []searchRule
}

// searchRule is one entry of a tenant token's searchRules.
type searchRule struct {
	pattern string
	filter  *api.Value
}

// allows tells whether the token may touch an index.
func (a access) allows(uid string) bool {
	if a.key == nil {
		return true
	}
	if !matchesAny(a.key.Indexes, uid) {
		return false
	}
	_, ok := a.rule(uid)
	return ok
}

// restricted tells whether some indexes are out of reach.
func (a access) restricted() bool {
	return a.key != nil && !slices.Contains(a.key.Indexes, "*")
}

// mayCreate tells whether a write may make a missing index.
func (a access) mayCreate() bool { return a.key == nil || a.key.allowsAction("indexes.create") }

// rule finds the search rule for an index: the exact name, else the longest pattern.
func (a access) rule(uid string) (searchRule, bool) {
	if a.rules == nil {
		return searchRule{}, true
	}
	best, found := searchRule{}, false
	for _, r := range a.rules {
		if r.pattern == uid {
			return r, true
		}
		if matchesPattern(r.pattern, uid) && (!found || len(r.pattern) > len(best.pattern)) {
			best, found = r, true
		}
	}
	return best, found
}

// filter adds the tenant's filter for an index to a request's own.
func (a access) filter(uid string, own *api.Value) *api.Value {
	r, ok := a.rule(uid)
	if !ok || r.filter == nil {
		return own
	}
	joined := api.Value{Kind: api.Array}
	for _, part := range []*api.Value{own, r.filter} {
		switch {
		case part == nil:
		case part.Kind == api.Array:
			joined.Arr = append(joined.Arr, part.Arr...)
		default:
			joined.Arr = append(joined.Arr, *part)
		}
	}
	return &joined
}

func matchesPattern(pattern, uid string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(uid, prefix)
	}
	return pattern == uid
}

func matchesAny(patterns []string, uid string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchesPattern(p, uid) })
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
	a, err := c.identify(token, action)
	if err != nil {
		return access{}, err
	}
	if uid != "" {
		if err := a.checkIndex(uid); err != nil {
			return access{}, err
		}
	}
	if a.key.expired(c.now()) || !a.key.allowsAction(action) {
		return access{}, api.InvalidAPIKey()
	}
	return a, nil
}

func (a access) checkIndex(uid string) *api.Error {
	if _, ok := a.rule(uid); !ok {
		names := make([]string, len(a.rules))
		for i, r := range a.rules {
			names[i] = r.pattern
		}
		return api.Errorf("invalid_api_key", "The provided tenant token cannot acces the index `%s`, allowed indexes are %s.", uid,
			debugList(sortedCopy(names)))
	}
	if matchesAny(a.key.Indexes, uid) {
		return nil
	}
	if a.rules != nil {
		return api.Errorf("invalid_api_key", "The API key used to generate this tenant token cannot acces the index `%s`.", uid)
	}
	return api.Errorf("invalid_api_key", "The API key cannot acces the index `%s`, authorized indexes are %s.", uid,
		debugList(sortedCopy(a.key.Indexes)))
}

func debugList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = api.QuoteJSON(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func sortedCopy(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}

// identify finds the key behind a token, which is a key's value or a tenant token.
func (c *core) identify(token, action string) (access, *api.Error) {
	if action == "search" && strings.Count(token, ".") == 2 {
		a, err, isToken := c.tenant(token)
		if isToken {
			return a, err
		}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, k := range c.keys {
		if subtle.ConstantTimeCompare([]byte(k.value(c.opt.MasterKey)), []byte(token)) == 1 {
			return access{key: k}, nil
		}
	}
	return access{}, api.InvalidAPIKey()
}

type tenantClaims struct {
	SearchRules json.RawMessage `json:"searchRules"`
	Exp         *int64          `json:"exp"`
	APIKeyUID   string          `json:"apiKeyUid"`
}

// tenant checks a tenant token; isToken is false when the text is none at all.
func (c *core) tenant(token string) (a access, err *api.Error, isToken bool) {
	var claims tenantClaims
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithValidMethods([]string{"HS256", "HS384", "HS512"}))
	raw := rawClaims{}
	for part := range strings.SplitSeq(token, ".") {
		if len(part)%4 == 1 {
			return a, api.Errorf("invalid_api_key", "Could not decode tenant token, Base64 error: Invalid input length: %d.", len(part)), true
		}
	}
	if _, _, e := parser.ParseUnverified(token, &raw); e != nil {
		return a, nil, false //nolint:nilerr // no tenant token, so it is tried as a key
	}
	if e := json.Unmarshal(raw.text, &claims); e != nil {
		return a, api.Errorf("invalid_api_key", "Could not decode tenant token, JSON error: %s.", e), true
	}
	uid, e := uuid.Parse(claims.APIKeyUID)
	if e != nil {
		return a, nil, false //nolint:nilerr // no tenant token, so it is tried as a key
	}
	c.mu.RLock()
	key := c.keys[uid.String()]
	c.mu.RUnlock()
	value := keyValue(c.opt.MasterKey, uid.String())
	_, e = parser.ParseWithClaims(token, &rawClaims{}, func(*jwt.Token) (any, error) { return []byte(value), nil })
	if e != nil {
		return a, api.NewError("invalid_api_key", "Could not decode tenant token, InvalidSignature."), true
	}
	if now := c.now().Unix(); claims.Exp != nil && now > *claims.Exp {
		return a, api.Errorf("invalid_api_key", "Tenant token expired. Was valid up to `%d` and we're now `%d`.", *claims.Exp, now), true
	}
	if key == nil {
		return a, api.InvalidAPIKey(), true
	}
	if claims.SearchRules == nil {
		return a, api.Errorf("invalid_api_key", "Could not decode tenant token, JSON error: missing field `searchRules` at line 1 column %d.",
			len(raw.text)), true
	}
	rules, e := parseRules(claims.SearchRules)
	if e != nil {
		return a, api.Errorf("invalid_api_key", "Could not decode tenant token, JSON error: data did not match any variant of untagged "+
			"enum SearchRules at line 1 column %d.", len(raw.text)), true
	}
	return access{key: key, rules: rules}, nil, true
}

// rawClaims keeps the text of a token's claims.
type rawClaims struct {
	jwt.MapClaims
	text []byte
}

// UnmarshalJSON keeps the text; the claims are read later.
func (r *rawClaims) UnmarshalJSON(data []byte) error {
	r.text = append([]byte(nil), data...)
	return nil
}

// parseRules reads searchRules: a list of patterns, or an object from pattern to filter.
func parseRules(raw json.RawMessage) ([]searchRule, error) {
	v, err := api.ParseJSON(raw)
	if err != nil {
		return nil, err
	}
	rules := []searchRule{}
	switch v.Kind {
	case api.Array:
		for _, item := range v.Arr {
			if item.Kind != api.String {
				return nil, fmt.Errorf("search rules hold %s", item.String())
			}
			rules = append(rules, searchRule{pattern: item.Str})
		}
	case api.Object:
		for _, m := range v.Obj {
			rule := searchRule{pattern: m.Key}
			if f, ok := m.Value.Get("filter"); ok && f.Kind != api.Null {
				rule.filter = &f
			}
			rules = append(rules, rule)
		}
	default:
		return nil, fmt.Errorf("search rules are %s", v.String())
	}
	return rules, nil
}

// keyValue is the secret of a key: it follows from the master key and the uid.
func keyValue(master, uid string) string {
	mac := hmac.New(sha256.New, []byte(master))
	mac.Write([]byte(uid))
	return hex.EncodeToString(mac.Sum(nil))
}

func (k *apiKey) value(master string) string { return keyValue(master, k.UID) }

func (k *apiKey) expired(now time.Time) bool { return k.ExpiresAt != nil && !k.ExpiresAt.After(now) }

// allowsAction understands `*`, `*.get` and `indexes.*`.
func (k *apiKey) allowsAction(action string) bool {
	group, verb, _ := strings.Cut(action, ".")
	return slices.ContainsFunc(k.Actions, func(a string) bool {
		switch {
		case a == "*" || a == action:
			return true
		case a == "*.get":
			return verb == "get" && group != "keys"
		default:
			return verb != "" && a == group+".*"
		}
	})
}
