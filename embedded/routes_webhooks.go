package embedded

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
)

func webhookRoutes() []route {
	return []route{
		{method: "GET", path: "/webhooks", action: "webhooks.get", handle: listWebhooks},
		{method: "POST", path: "/webhooks", action: "webhooks.create", handle: createWebhook},
		{method: "GET", path: "/webhooks/:uuid", action: "webhooks.get", handle: getWebhook},
		{method: "PATCH", path: "/webhooks/:uuid", action: "webhooks.update", handle: patchWebhook},
		{method: "DELETE", path: "/webhooks/:uuid", action: "webhooks.delete", handle: deleteWebhook},
	}
}

// maxWebhooks and maxWebhookHeaders are the limits of the real server.
const maxWebhooks, maxWebhookHeaders = 20, 200

// webhook is one address that hears about finished tasks. It is replaced, never changed.
type webhook struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
}

type webhookView struct {
	UUID       string            `json:"uuid"`
	IsEditable bool              `json:"isEditable"`
	URL        string            `json:"url"`
	Headers    map[string]string `json:"headers"`
}

// view is what clients see: values of Authorization are cut, but for the scheme.
func (w *webhook) view(id string) webhookView {
	headers := make(map[string]string, len(w.Headers))
	for name, value := range w.Headers {
		if strings.EqualFold(name, "authorization") {
			scheme := ""
			if rest, found := strings.CutPrefix(value, "Bearer "); found {
				scheme, value = "Bearer ", rest
			}
			value = scheme + api.HideSecret(value)
		}
		headers[name] = value
	}
	return webhookView{id, id != uuid.Nil.String(), w.URL, headers}
}

// webhooksByUUID are all webhooks, that of the options included.
func (c *core) webhooksByUUID() map[string]*webhook {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := maps.Clone(c.webhooks)
	if out == nil {
		out = make(map[string]*webhook)
	}
	if c.opt.WebhookURL != "" {
		own := &webhook{URL: c.opt.WebhookURL, Headers: map[string]string{}}
		if c.opt.WebhookAuthorization != "" {
			own.Headers["Authorization"] = c.opt.WebhookAuthorization
		}
		out[uuid.Nil.String()] = own
	}
	return out
}

func listWebhooks(r *request) (*reply, *api.Error) {
	all := r.core.webhooksByUUID()
	views := []webhookView{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		views = append(views, all[id].view(id))
	}
	return ok(struct {
		Results []webhookView `json:"results"`
	}{views})
}

// webhookUUID reads the uuid of the path.
func (r *request) webhookUUID() (string, *api.Error) {
	text := r.params["uuid"]
	if reason := badUUID(text); reason != "" {
		return "", api.NewError("invalid_webhook_uuid", "Invalid UUID: "+reason)
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return "", api.NewError("invalid_webhook_uuid", "Invalid UUID: "+err.Error())
	}
	return id.String(), nil
}

func webhookNotFound(id string) *api.Error {
	return api.Errorf("webhook_not_found", "Webhook `%s` not found.", id)
}

func getWebhook(r *request) (*reply, *api.Error) {
	id, err := r.webhookUUID()
	if err != nil {
		return nil, err
	}
	w, found := r.core.webhooksByUUID()[id]
	if !found {
		return nil, webhookNotFound(id)
	}
	return ok(w.view(id))
}

// webhookChange is the body of POST and PATCH.
type webhookChange struct {
	url     api.Opt[string]
	headers api.Opt[map[string]api.Opt[string]]
}

func (r *request) webhookChange() (*webhookChange, *api.Error) {
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	n := &webhookChange{}
	optional := func(code string, dst *api.Opt[string]) api.Into { return api.OptOf(code, dst, api.Text) }
	fields := []api.Field{
		{Name: "url", Into: api.OptOf("invalid_webhook_url", &n.url, api.Text)},
		{Name: "headers", Into: api.OptOf("invalid_webhook_headers", &n.headers, api.Map(optional))},
	}
	return n, api.DecodeObjectUnknown(v, api.At{}, "bad_request", fields, func(key string) *api.Error {
		switch key {
		case "uuid":
			return api.ImmutableField("immutable_webhook_uuid", key, "url", "headers")
		case "isEditable":
			return api.ImmutableField("immutable_webhook_is_editable", key, "url", "headers")
		default:
			return api.UnknownField("bad_request", api.At{}, key, []string{"url", "headers"})
		}
	})
}

func missingWebhookURL(id string) *api.Error {
	return api.Errorf("invalid_webhook_url", "The URL for the webhook `%s` is missing.", id)
}

func tooManyWebhookHeaders(id string) *api.Error {
	return api.Errorf("invalid_webhook_headers", "Too many headers for the webhook `%s`. Please limit the number of headers to 200. "+
		"Hint: To remove an already defined header set its value to `null`", id)
}

// check finds what is wrong with a webhook as it would be kept.
func (w *webhook) check(id string) *api.Error {
	if w.URL == "" {
		return missingWebhookURL(id)
	}
	if len(w.Headers) > maxWebhookHeaders {
		return tooManyWebhookHeaders(id)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Headers)) {
		if !validHeaderName(name) {
			return api.Errorf("invalid_webhook_headers", "Invalid header name `%s`: invalid HTTP header name", name)
		}
		if strings.ContainsFunc(w.Headers[name], func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f }) {
			return api.Errorf("invalid_webhook_headers", "Invalid header value `%s`: failed to parse header value", name)
		}
	}
	if reason := badURL(w.URL); reason != "" {
		return api.Errorf("invalid_webhook_url", "Invalid URL `%s`: %s", w.URL, reason)
	}
	return nil
}

func validHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

func createWebhook(r *request) (*reply, *api.Error) {
	n, err := r.webhookChange()
	if err != nil {
		return nil, err
	}
	c, id := r.core, uuid.NewString()
	headers := n.headers.Value()
	if len(headers) > maxWebhookHeaders {
		return nil, tooManyWebhookHeaders(id)
	}
	c.mu.RLock()
	full := len(c.webhooks) >= maxWebhooks
	c.mu.RUnlock()
	if full {
		return nil, api.NewError("invalid_webhooks", "Defining too many webhooks would crush the server. Please limit the number of "+
			"webhooks to 20. You may use a third-party proxy server to dispatch events to more than 20 endpoints.")
	}
	w := &webhook{URL: n.url.Value(), Headers: make(map[string]string, len(headers))}
	for name, value := range headers {
		w.Headers[name] = value.Value()
	}
	if err := w.check(id); err != nil {
		return nil, err
	}
	if err := c.putWebhook(id, w); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusCreated, body: w.view(id)}, nil
}

// putWebhook keeps a webhook, or forgets it when w is nil.
func (c *core) putWebhook(id string, w *webhook) *api.Error {
	return remember(c, metaWebhooks, &c.webhooks, func(old map[string]*webhook) map[string]*webhook {
		all := maps.Clone(old)
		if all == nil {
			all = make(map[string]*webhook)
		}
		all[id] = w
		if w == nil {
			delete(all, id)
		}
		return all
	})
}

// editableWebhook finds the webhook of the path where it may be changed.
func (r *request) editableWebhook() (string, *webhook, *api.Error) {
	id, err := r.webhookUUID()
	if err != nil {
		return "", nil, err
	}
	if id == uuid.Nil.String() {
		return "", nil, api.Errorf("immutable_webhook", "Webhook `%s` is immutable. The webhook defined from the command line cannot "+
			"be modified using the API.", id)
	}
	w, found := r.core.webhooksByUUID()[id]
	if !found {
		return "", nil, webhookNotFound(id)
	}
	return id, w, nil
}

func patchWebhook(r *request) (*reply, *api.Error) {
	if _, err := r.webhookUUID(); err != nil {
		return nil, err
	}
	n, err := r.webhookChange()
	if err != nil {
		return nil, err
	}
	id, old, err := r.editableWebhook()
	if err != nil {
		return nil, err
	}
	if n.url.IsNull() {
		return nil, missingWebhookURL(id)
	}
	w := &webhook{URL: n.url.Or(api.Some(old.URL)).Value(), Headers: make(map[string]string)}
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
	if err := w.check(id); err != nil {
		return nil, err
	}
	if err := r.core.putWebhook(id, w); err != nil {
		return nil, err
	}
	return ok(w.view(id))
}

func deleteWebhook(r *request) (*reply, *api.Error) {
	id, _, err := r.editableWebhook()
	if err != nil {
		return nil, err
	}
	if err := r.core.putWebhook(id, nil); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusNoContent}, nil
}
