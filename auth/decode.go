package auth

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
)

// DecodeKey reads the body that creates a key.
func DecodeKey(v api.Value, now time.Time) (*Key, *api.Error) {
	k := &Key{UID: uuid.NewString(), CreatedAt: now, UpdatedAt: now}
	if bad := api.DecodeObject(v, api.At{}, "bad_request", []api.Field{
		{Name: "description", Into: api.Maybe("invalid_api_key_description", &k.Description, api.Text)},
		{Name: "name", Into: api.Maybe("invalid_api_key_name", &k.Name, api.Text)},
		{Name: "uid", Into: api.Checked(api.Text, api.BadUUID)("invalid_api_key_uid", &k.UID)},
		{Name: "actions", Into: api.List(api.OneOf(Actions()...))("invalid_api_key_actions", &k.Actions), Required: true,
			MissingCode: "missing_api_key_actions"},
		{Name: "indexes", Into: api.List(api.Checked(api.Text, BadPattern))("invalid_api_key_indexes", &k.Indexes), Required: true,
			MissingCode: "missing_api_key_indexes"},
		{Name: "expiresAt", Into: expiry(now, &k.ExpiresAt), Required: true, MissingCode: "missing_api_key_expires_at"},
	}); bad != nil {
		return nil, bad
	}
	if id, err := uuid.Parse(k.UID); err == nil {
		k.UID = id.String()
	}
	if len(k.Indexes) > 0 && !slices.Contains(k.Indexes, "*") {
		if i := slices.IndexFunc(k.Actions, global); i >= 0 {
			return nil, api.Errorf("index_scoped_api_key_with_global_action", "cannot create index-scoped API key with global "+
				"action `%q`\n  - Hint: remove action `%q` from the action list, or remove `indexes` to make the key global", k.Actions[i], k.Actions[i])
		}
	}
	return k, nil
}

// BadPattern returns why a text is no pattern of indexes, in the words of a real server,
// or "".
func BadPattern(s string) string {
	prefix := strings.TrimSuffix(s, "*")
	if s == "*" || api.ValidIndexUID(prefix) {
		return ""
	}
	return fmt.Sprintf("`%s` is not a valid index uid pattern. Index uid patterns can be an integer or a string containing only "+
		"alphanumeric characters, hyphens (-), underscores (_), and optionally end with a star (*).", prefix)
}

// expiry reads a date in the future, or null.
func expiry(now time.Time, dst **time.Time) api.Into {
	const code = "invalid_api_key_expires_at"
	return func(v api.Value, at api.At) *api.Error {
		if v.Kind == api.Null {
			*dst = nil
			return nil
		}
		var text string
		if bad := api.Text(code, &text)(v, at); bad != nil {
			return bad
		}
		if t, ok := parseDate(text); ok && t.After(now) {
			*dst = &t
			return nil
		}
		return api.Invalid(code, at, "`"+text+"` is not a valid date. It should follow the RFC 3339 format to represents a date or "+
			"datetime in the future or specified as a null value. e.g. 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM:SS'.\n")
	}
}

// The forms of a date; package time is laxer than that.
var (
	dayForm    = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)
	momentForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d$`)
	zonedForm  = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$`)
)

// parseDate reads RFC 3339, a day, or a moment without a zone, which is in UTC. The
// zone is kept.
func parseDate(s string) (time.Time, bool) {
	layout := time.RFC3339Nano
	switch {
	case dayForm.MatchString(s):
		layout = time.DateOnly
	case momentForm.MatchString(s):
		layout, s = time.DateTime, s[:10]+" "+s[11:]
	case zonedForm.MatchString(s):
		s = s[:10] + "T" + strings.ToUpper(s[11:])
	default:
		return time.Time{}, false
	}
	t, err := time.Parse(layout, s)
	return t, err == nil
}

// Patch is the body that changes a key.
type Patch struct{ description, name api.Opt[string] }

// DecodePatch reads it.
func DecodePatch(v api.Value) (*Patch, *api.Error) {
	p := &Patch{}
	accepted := []string{"description", "name"}
	immutable := map[string]string{"uid": "uid", "actions": "actions", "indexes": "indexes", "expiresAt": "expires_at",
		"createdAt": "created_at", "updatedAt": "updated_at"}
	if bad := api.DecodeObjectUnknown(v, api.At{}, "bad_request", []api.Field{
		{Name: "description", Into: api.OptOf("invalid_api_key_description", &p.description, api.Text)},
		{Name: "name", Into: api.OptOf("invalid_api_key_name", &p.name, api.Text)},
	}, func(key string) *api.Error {
		if code, known := immutable[key]; known {
			return api.ImmutableField("immutable_api_key_"+code, key, accepted...)
		}
		return api.UnknownField("bad_request", api.At{}, key, accepted)
	}); bad != nil {
		return nil, bad
	}
	return p, nil
}

// Apply makes the changed key.
func (p *Patch) Apply(k *Key, now time.Time) *Key {
	next := *k
	patchText(&next.Description, p.description)
	patchText(&next.Name, p.name)
	next.UpdatedAt = now
	return &next
}

func patchText(dst **string, o api.Opt[string]) {
	if text, set := o.Get(); set {
		*dst = &text
	} else if o.IsNull() {
		*dst = nil
	}
}
