package http

import (
	"maps"
	"net/http"
	"slices"

	"github.com/miroir-search/miroir/api"
)

// chatView is a workspace in listings.
type chatView struct {
	UID string `json:"uid"`
}

func listChats(c *call) error {
	offset, limit, bad := api.ParsePage(c.query(), "invalid_index_offset", "invalid_index_limit")
	if bad != nil {
		return bad
	}
	all, err := c.s.opts.Door.Chats(c.ctx())
	if err != nil {
		return err
	}
	out := page[chatView]{Results: []chatView{}, Offset: offset, Limit: limit, Total: len(all)}
	uids := slices.Sorted(maps.Keys(all))
	for _, uid := range uids[min(offset, len(uids)):] {
		if len(out.Results) >= limit {
			break
		}
		out.Results = append(out.Results, chatView{uid})
	}
	return c.json(http.StatusOK, out)
}

func getChat(c *call) error {
	uid := c.param("workspace")
	if bad := api.CheckIndexUID(uid); bad != nil {
		return bad
	}
	all, err := c.s.opts.Door.Chats(c.ctx())
	if err != nil {
		return err
	}
	if all[uid] == nil {
		return api.ChatNotFound(uid)
	}
	return c.json(http.StatusOK, chatView{uid})
}

// changeChat puts what next makes of a workspace in its place; nil takes it away. next
// gets nil for a workspace that is not there.
func (c *call) changeChat(next func(uid string, old *api.ChatWorkspace) (*api.ChatWorkspace, *api.Error)) (*api.ChatWorkspace, error) {
	c.s.chatsMu.Lock()
	defer c.s.chatsMu.Unlock()
	all, err := c.s.opts.Door.Chats(c.ctx())
	if err != nil {
		return nil, err
	}
	uid := c.param("workspace")
	chat, bad := next(uid, all[uid])
	if bad != nil {
		return nil, bad
	}
	if all[uid] = chat; chat == nil {
		delete(all, uid)
	}
	return chat, c.s.opts.Door.SetChats(c.ctx(), all)
}

func deleteChat(c *call) error {
	_, err := c.changeChat(func(uid string, old *api.ChatWorkspace) (*api.ChatWorkspace, *api.Error) {
		if old == nil {
			return nil, api.ChatNotFound(uid)
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	return c.send(http.StatusNoContent, nil, nil)
}

func getChatSettings(c *call) error {
	all, err := c.s.opts.Door.Chats(c.ctx())
	if err != nil {
		return err
	}
	uid := c.param("workspace")
	if all[uid] == nil {
		return api.ChatUnknown(uid)
	}
	return c.json(http.StatusOK, all[uid].Masked())
}

func patchChatSettings(c *call) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	patch, bad := api.DecodeChatWorkspace(v)
	if bad != nil {
		return bad
	}
	if err := c.require(api.ChatCompletions, toChatSettings); err != nil {
		return err
	}
	chat, err := c.changeChat(func(_ string, old *api.ChatWorkspace) (*api.ChatWorkspace, *api.Error) {
		if old == nil {
			old = api.DefaultChatWorkspace()
		}
		return patch.Apply(old)
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, chat.Masked())
}

func resetChatSettings(c *call) error {
	chat, err := c.changeChat(func(uid string, old *api.ChatWorkspace) (*api.ChatWorkspace, *api.Error) {
		if old == nil {
			return nil, api.ChatUnknown(uid)
		}
		return api.DefaultChatWorkspace(), nil
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, chat)
}
