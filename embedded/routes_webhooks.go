package embedded

import (
	"maps"
	"net/http"

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

// webhooksByUUID are all webhooks, that of the options included.
func (c *core) webhooksByUUID() map[string]*api.Webhook {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := maps.Clone(c.webhooks)
	if out == nil {
		out = make(map[string]*api.Webhook)
	}
	if c.opt.WebhookURL != "" {
		own := &api.Webhook{URL: c.opt.WebhookURL, Headers: map[string]string{}}
		if c.opt.WebhookAuthorization != "" {
			own.Headers["Authorization"] = c.opt.WebhookAuthorization
		}
		out[api.OwnWebhook] = own
	}
	return out
}

func listWebhooks(r *request) (*reply, *api.Error) {
	return ok(api.ViewWebhooks(r.core.webhooksByUUID()))
}

func getWebhook(r *request) (*reply, *api.Error) {
	id, err := api.ParseWebhookUUID(r.params["uuid"])
	if err != nil {
		return nil, err
	}
	w, found := r.core.webhooksByUUID()[id]
	if !found {
		return nil, api.WebhookNotFound(id)
	}
	return ok(w.View(id))
}

func (r *request) webhookChange() (*api.WebhookChange, *api.Error) {
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	return api.DecodeWebhook(v)
}

func createWebhook(r *request) (*reply, *api.Error) {
	n, err := r.webhookChange()
	if err != nil {
		return nil, err
	}
	c, id := r.core, uuid.NewString()
	c.mu.RLock()
	defined := len(c.webhooks)
	c.mu.RUnlock()
	w, err := n.Create(id, defined)
	if err != nil {
		return nil, err
	}
	if err := c.putWebhook(id, w); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusCreated, body: w.View(id)}, nil
}

// putWebhook keeps a webhook, or forgets it when w is nil.
func (c *core) putWebhook(id string, w *api.Webhook) *api.Error {
	return remember(c, metaWebhooks, &c.webhooks, func(old map[string]*api.Webhook) map[string]*api.Webhook {
		all := maps.Clone(old)
		if all == nil {
			all = make(map[string]*api.Webhook)
		}
		all[id] = w
		if w == nil {
			delete(all, id)
		}
		return all
	})
}

// editableWebhook finds the webhook of the path where it may be changed.
func (r *request) editableWebhook() (string, *api.Webhook, *api.Error) {
	id, err := api.ParseWebhookUUID(r.params["uuid"])
	if err != nil {
		return "", nil, err
	}
	if id == api.OwnWebhook {
		return "", nil, api.ImmutableWebhook(id)
	}
	w, found := r.core.webhooksByUUID()[id]
	if !found {
		return "", nil, api.WebhookNotFound(id)
	}
	return id, w, nil
}

func patchWebhook(r *request) (*reply, *api.Error) {
	n, err := r.webhookChange()
	if err != nil {
		return nil, err
	}
	id, old, err := r.editableWebhook()
	if err != nil {
		return nil, err
	}
	w, err := n.Patch(id, old)
	if err != nil {
		return nil, err
	}
	if err := r.core.putWebhook(id, w); err != nil {
		return nil, err
	}
	return ok(w.View(id))
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
