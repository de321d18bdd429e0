package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/rawjson"
)

// tenant is a tenant token whose signature is good.
type tenant struct {
	uid     string
	rules   []Rule
	expires *int64
	access  *Access // nil when its key is gone
}

// signers are the algorithms of tenant tokens; no other has a way in.
var signers = map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}

// tenant checks a tenant token: its signature, its time, then the key behind it.
func (r *Ring) tenant(token string, now time.Time) (*Access, *api.Error) {
	d := r.hash(token)
	t := r.tenants.get(d)
	if t == nil {
		var err error
		if t, err = r.decodeTenant(token); err != nil {
			return nil, api.Errorf("invalid_api_key", "Could not decode tenant token, %v.", err)
		}
		if t.access != nil {
			r.tenants.put(d, t)
		}
	}
	if t.expires != nil && now.Unix() > *t.expires {
		return nil, api.Errorf("invalid_api_key", "Tenant token expired. Was valid up to `%d` and we're now `%d`.", *t.expires, now.Unix())
	}
	if t.access == nil {
		return nil, api.InvalidAPIKey()
	}
	return t.access, nil
}

func (r *Ring) decodeTenant(token string) (*tenant, error) {
	end := strings.LastIndexByte(token, '.')
	message, signature := token[:end], token[end+1:]
	middle := strings.LastIndexByte(message, '.')
	header, err := decodePart(message[:middle])
	if err != nil {
		return nil, err
	}
	algorithm, err := readHeader(header)
	if err != nil {
		return nil, err
	}
	claims, err := decodePart(message[middle+1:])
	if err != nil {
		return nil, err
	}
	t, audience, err := readClaims(claims)
	if err != nil {
		return nil, err
	}
	signer := signers[algorithm]
	if signer == nil {
		return nil, errors.New("InvalidAlgorithm")
	}
	signed, err := decodePart(signature)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(signer, []byte(Value(r.master, t.uid)))
	mac.Write([]byte(message))
	if !hmac.Equal(mac.Sum(nil), signed) {
		return nil, errors.New("InvalidSignature")
	}
	if audience {
		return nil, errors.New("InvalidAudience")
	}
	if behind := r.byUID[t.uid]; behind != nil {
		t.access = &Access{key: behind.key, actions: behind.actions, rules: t.rules}
	}
	return t, nil
}

// decodePart decodes one part of a token. Errors have the words of the real server.
func decodePart(part string) ([]byte, error) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	bare := strings.TrimRight(part, "=")
	for i := range len(bare) {
		if strings.IndexByte(letters, bare[i]) < 0 {
			return nil, fmt.Errorf("Base64 error: Invalid symbol %d, offset %d.", bare[i], i) //nolint:staticcheck,revive // the words of the real server
		}
	}
	switch {
	case len(part)%4 == 1 && part == bare:
		return nil, fmt.Errorf("Base64 error: Invalid input length: %d", len(part)) //nolint:staticcheck,revive // the words of the real server
	case part != bare:
		return nil, errors.New("Base64 error: Invalid padding") //nolint:staticcheck,revive // the words of the real server
	}
	out, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		last := len(part) - 1
		return nil, fmt.Errorf("Base64 error: Invalid last symbol %d, offset %d.", part[last], last) //nolint:staticcheck,revive // the words of the real server
	}
	return out, nil
}

// jsonError is a fault in the JSON of a token, with how far it was read.
func jsonError(column int, format string, args ...any) error {
	return fmt.Errorf("JSON error: %s at line 1 column %d", fmt.Sprintf(format, args...), column)
}

// members reads an object and hands over each member, with the number of bytes read
// behind it.
func members(text []byte, what string, each func(name string, v api.Value, end int) error) error {
	v, err := api.ParseJSON(text)
	switch {
	case err != nil:
		return fmt.Errorf("JSON error: %w", err)
	case v.Kind != api.Object:
		return jsonError(len(text), "invalid type: %s, expected struct %s", kindOf(v), what)
	}
	seen := make(map[string]bool)
	var m rawjson.Members
	for m.Init(text); m.Next(); {
		name, err := rawjson.Unquote(m.Key)
		if err != nil {
			return fmt.Errorf("JSON error: %w", err)
		}
		if seen[name] {
			return jsonError(cap(text)-cap(m.Key)+len(m.Key)+1, "duplicate field `%s`", name)
		}
		seen[name] = true
		value, err := api.ParseJSON(m.Value)
		if err != nil {
			return fmt.Errorf("JSON error: %w", err)
		}
		if err := each(name, value, cap(text)-cap(m.Value)+len(m.Value)); err != nil {
			return err
		}
	}
	return m.Err
}

// algorithms are those that the real server has a name for.
const algorithms = "`HS256`, `HS384`, `HS512`, `ES256`, `ES384`, `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `EdDSA`"

// readHeader finds the algorithm. It need not be one that is allowed.
func readHeader(text []byte) (algorithm string, err error) {
	err = members(text, "Header", func(name string, v api.Value, end int) error {
		switch name {
		case "alg":
			if v.Kind != api.String {
				return jsonError(end, "invalid type: %s, expected variant identifier", kindOf(v))
			}
			if !strings.Contains(algorithms, "`"+v.Str+"`") {
				return jsonError(end, "unknown variant `%s`, expected one of %s", v.Str, algorithms)
			}
			algorithm = v.Str
		case "typ", "cty", "jku", "kid", "x5u", "x5t":
			if v.Kind != api.String && v.Kind != api.Null {
				return jsonError(end, "invalid type: %s, expected a string", kindOf(v))
			}
		}
		return nil
	})
	if err == nil && algorithm == "" {
		err = jsonError(len(text), "missing field `alg`")
	}
	return algorithm, err
}

// readClaims reads what a token says. audience tells that it is meant for somebody.
func readClaims(text []byte) (t *tenant, audience bool, err error) {
	t = &tenant{}
	err = members(text, "Claims", func(name string, v api.Value, end int) error {
		switch name {
		case "apiKeyUid":
			return readUID(&t.uid, v, end)
		case "exp":
			return readExpiry(&t.expires, v, end)
		case "searchRules":
			var ok bool
			if t.rules, ok = readRules(v); !ok {
				if end < len(text) && text[end] == '}' {
					end++ // the real server reads on to the end of the object
				}
				return jsonError(end, "data did not match any variant of untagged enum SearchRules")
			}
		case "aud":
			audience = v.Kind == api.String || v.Kind == api.Array && len(v.Arr) > 0
		}
		return nil
	})
	switch {
	case err != nil:
	case t.rules == nil:
		err = jsonError(len(text), "missing field `searchRules`")
	case t.uid == "":
		err = jsonError(len(text), "missing field `apiKeyUid`")
	}
	return t, audience, err
}

func readUID(dst *string, v api.Value, end int) error {
	if v.Kind != api.String {
		return jsonError(end, "invalid type: %s, expected a formatted UUID string", kindOf(v))
	}
	if reason := api.BadUUID(v.Str); reason != "" {
		return jsonError(end, "UUID parsing failed: %s", reason)
	}
	id, err := uuid.Parse(v.Str)
	if err != nil {
		return jsonError(end, "UUID parsing failed: %v", err)
	}
	*dst = id.String()
	return nil
}

func readExpiry(dst **int64, v api.Value, end int) error {
	var seconds int64
	switch {
	case v.Kind == api.Null:
		return nil
	case v.Kind == api.NegativeInteger:
		seconds = v.Int
	case v.Kind == api.Integer && v.Uint <= 1<<63-1:
		seconds = int64(v.Uint) //nolint:gosec // it fits
	case v.Kind == api.Integer:
		return jsonError(end, "invalid value: %s, expected i64", kindOf(v))
	default:
		return jsonError(end, "invalid type: %s, expected i64", kindOf(v))
	}
	*dst = &seconds
	return nil
}

// readRules reads searchRules: a list of patterns, or an object from pattern to null
// or to an object with a filter. Rules are never nil when they are ok.
func readRules(v api.Value) (rules []Rule, ok bool) {
	rules = []Rule{}
	switch v.Kind {
	case api.Array:
		for _, item := range v.Arr {
			if item.Kind != api.String {
				return nil, false
			}
			rules = append(rules, Rule{Pattern: item.Str})
		}
	case api.Object:
		for _, m := range v.Obj {
			rule := Rule{Pattern: m.Key}
			switch m.Value.Kind {
			case api.Null:
			case api.Object:
				if f, set := m.Value.Get("filter"); set && f.Kind != api.Null {
					rule.Filter = &f
				}
			default:
				return nil, false
			}
			rules = append(rules, rule)
		}
	default:
		return nil, false
	}
	return rules, true
}

// kindOf names a value as the real server's parser does.
func kindOf(v api.Value) string {
	switch v.Kind {
	case api.Null:
		return "null"
	case api.Boolean:
		return "boolean `" + v.String() + "`"
	case api.Integer, api.NegativeInteger:
		return "integer `" + v.String() + "`"
	case api.Float:
		return "floating point `" + v.String() + "`"
	case api.String:
		return "string " + api.QuoteJSON(v.Str)
	case api.Array:
		return "sequence"
	default:
		return "map"
	}
}
