package api

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// MaxWebhooks is how many webhooks clients can define.
const MaxWebhooks = 20

// maxWebhookHeaders is how many headers each can have.
const maxWebhookHeaders = 200

// OwnWebhook is the uuid of the webhook that the operator has set; clients cannot change it.
const OwnWebhook = "00000000-0000-0000-0000-000000000000"

// Webhook is one address that hears about finished tasks. It is replaced, never changed.
type Webhook struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
}

// WebhookView is what clients see of a webhook.
type WebhookView struct {
	UUID       string            `json:"uuid"`
	IsEditable bool              `json:"isEditable"`
	URL        string            `json:"url"`
	Headers    map[string]string `json:"headers"`
}

// View shows a webhook: values of Authorization are cut, but for the scheme.
func (w *Webhook) View(id string) WebhookView {
	headers := make(map[string]string, len(w.Headers))
	for name, value := range w.Headers {
		if strings.EqualFold(name, "authorization") {
			scheme := ""
			if rest, found := strings.CutPrefix(value, "Bearer "); found {
				scheme, value = "Bearer ", rest
			}
			value = scheme + HideSecret(value)
		}
		headers[name] = value
	}
	return WebhookView{id, id != OwnWebhook, w.URL, headers}
}

// WebhookList is the answer of GET /webhooks.
type WebhookList struct {
	Results []WebhookView `json:"results"`
}

// ViewWebhooks lists webhooks by their uuid.
func ViewWebhooks(all map[string]*Webhook) WebhookList {
	views := []WebhookView{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		views = append(views, all[id].View(id))
	}
	return WebhookList{views}
}

// WebhookChange is the body that creates a webhook or changes one.
type WebhookChange struct {
	url     Opt[string]
	headers Opt[map[string]Opt[string]]
}

// DecodeWebhook reads the body of POST and PATCH.
func DecodeWebhook(v Value) (*WebhookChange, *Error) {
	n := &WebhookChange{}
	optional := func(code string, dst *Opt[string]) Into { return OptOf(code, dst, Text) }
	fields := []Field{
		{Name: "url", Into: OptOf("invalid_webhook_url", &n.url, Text)},
		{Name: "headers", Into: OptOf("invalid_webhook_headers", &n.headers, Map(optional))},
	}
	return n, DecodeObjectUnknown(v, At{}, "bad_request", fields, func(key string) *Error {
		switch key {
		case "uuid":
			return ImmutableField("immutable_webhook_uuid", key, "url", "headers")
		case "isEditable":
			return ImmutableField("immutable_webhook_is_editable", key, "url", "headers")
		default:
			return UnknownField("bad_request", At{}, key, []string{"url", "headers"})
		}
	})
}

// Create makes the webhook that a body describes, beside those that clients have defined.
func (n *WebhookChange) Create(id string, defined int) (*Webhook, *Error) {
	headers := n.headers.Value()
	if len(headers) > maxWebhookHeaders {
		return nil, tooManyWebhookHeaders(id)
	}
	if defined >= MaxWebhooks {
		return nil, NewError("invalid_webhooks", "Defining too many webhooks would crush the server. Please limit the number of "+
			"webhooks to 20. You may use a third-party proxy server to dispatch events to more than 20 endpoints.")
	}
	w := &Webhook{URL: n.url.Value(), Headers: make(map[string]string, len(headers))}
	for name, value := range headers {
		w.Headers[name] = value.Value()
	}
	return w, w.check(id)
}

// Patch makes the webhook that an old one becomes: headers are merged, and null takes one out.
func (n *WebhookChange) Patch(id string, old *Webhook) (*Webhook, *Error) {
	if n.url.IsNull() {
		return nil, missingWebhookURL(id)
	}
	w := &Webhook{URL: n.url.Or(Some(old.URL)).Value(), Headers: make(map[string]string)}
	if !n.headers.IsNull() {
		maps.Copy(w.Headers, old.Headers)
	}
	for name, value := range n.headers.Value() {
		if text, set := value.Get(); set {
			w.Headers[name] = text
		} else {
			delete(w.Headers, name)
		}
	}
	return w, w.check(id)
}

// check finds what is wrong with a webhook as it would be kept.
func (w *Webhook) check(id string) *Error {
	if w.URL == "" {
		return missingWebhookURL(id)
	}
	if len(w.Headers) > maxWebhookHeaders {
		return tooManyWebhookHeaders(id)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Headers)) {
		if !validHeaderName(name) {
			return Errorf("invalid_webhook_headers", "Invalid header name `%s`: invalid HTTP header name", name)
		}
		if strings.ContainsFunc(w.Headers[name], func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return Errorf("invalid_webhook_headers", "Invalid header value `%s`: failed to parse header value", name)
		}
	}
	if reason := BadURL(w.URL); reason != "" {
		return Errorf("invalid_webhook_url", "Invalid URL `%s`: %s", w.URL, reason)
	}
	return nil
}

func validHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// ParseWebhookUUID reads the uuid in a path.
func ParseWebhookUUID(text string) (string, *Error) {
	if reason := BadUUID(text); reason != "" {
		return "", NewError("invalid_webhook_uuid", "Invalid UUID: "+reason)
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return "", NewError("invalid_webhook_uuid", "Invalid UUID: "+err.Error())
	}
	return id.String(), nil
}

// WebhookNotFound is the error for a uuid that no webhook has.
func WebhookNotFound(id string) *Error {
	return Errorf("webhook_not_found", "Webhook `%s` not found.", id)
}

// ImmutableWebhook is the error of changing the webhook that the operator has set.
func ImmutableWebhook(id string) *Error {
	return Errorf("immutable_webhook", "Webhook `%s` is immutable. The webhook defined from the command line cannot be modified "+
		"using the API.", id)
}

func missingWebhookURL(id string) *Error {
	return Errorf("invalid_webhook_url", "The URL for the webhook `%s` is missing.", id)
}

func tooManyWebhookHeaders(id string) *Error {
	return Errorf("invalid_webhook_headers", "Too many headers for the webhook `%s`. Please limit the number of headers to 200. "+
		"Hint: To remove an already defined header set its value to `null`", id)
}

// BadUUID returns why a text is no uuid, in the words of a real server, or "".
func BadUUID(s string) string {
	if _, err := uuid.Parse(s); err == nil && (len(s) != 38 || s[0] == '{' && s[37] == '}') {
		return ""
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF-", r) }); i >= 0 {
		return fmt.Sprintf("invalid character: found `%c` at %d", []rune(s[i:])[0], i)
	}
	groups := strings.Split(s, "-")
	if n := len(groups); n > 1 && n != 5 {
		return fmt.Sprintf("invalid group count: expected 5, found %d", n)
	}
	for i, want := range []int{8, 4, 4, 4, 12} {
		if len(groups) == 5 && len(groups[i]) != want {
			return fmt.Sprintf("invalid group length in group %d: expected %d, found %d", i, want, len(groups[i]))
		}
	}
	return fmt.Sprintf("invalid length: found %d", len(s))
}

// BadURL returns why a text is no absolute URL, in the words of the real server, or "".
func BadURL(text string) string {
	scheme, rest, found := strings.Cut(text, ":")
	if !found || !isScheme(scheme) {
		return "relative URL without a base"
	}
	if !slices.Contains([]string{"http", "https", "ws", "wss", "ftp"}, strings.ToLower(scheme)) {
		return ""
	}
	host := strings.TrimLeft(rest, `/\`)
	if i := strings.IndexAny(host, `/\?#`); i >= 0 {
		host = host[:i]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		if _, err := strconv.ParseUint(host[i+1:], 10, 16); err != nil && host[i+1:] != "" {
			return "invalid port number"
		}
		host = host[:i]
	}
	switch address := strings.Trim(host, "[]"); {
	case host == "":
		return "empty host"
	case host[0] == '[':
		if a, err := netip.ParseAddr(address); err != nil || !a.Is6() || host[len(host)-1] != ']' {
			return "invalid IPv6 address"
		}
		return ""
	case badIPv4(host):
		return "invalid IPv4 address"
	}
	if _, err := url.Parse("http://" + host); err != nil {
		return "invalid international domain name"
	}
	return ""
}

// badIPv4 reports whether a host ends in a number and is no IPv4 address: up to four
// numbers, of which the last takes the bytes that are left.
func badIPv4(host string) bool {
	parts := strings.Split(host, ".")
	last := len(parts) - 1
	for i, part := range slices.Backward(parts) {
		n, err := strconv.ParseUint(part, 10, 64)
		switch {
		case err != nil:
			return i != last
		case i > 3 || i < last && n > 255 || i == last && n >= 1<<(8*(4-last)):
			return true
		}
	}
	return false
}

func isScheme(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", r)) {
			return false
		}
	}
	return s != ""
}
