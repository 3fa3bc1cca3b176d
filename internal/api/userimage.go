package api

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
	"sync"

	"portico/internal/api/route"
	"portico/internal/auth"
	"portico/internal/user"
)

func imagePath(id string) string { return "/api/v1/users/" + id + "/profile/image" }

// imageOf is the address of somebody's picture; a picture in the text itself
// would make lists large.
func imageOf(u *user.User) string {
	if strings.HasPrefix(u.ProfileImageURL, "data:") {
		return imagePath(u.ID)
	}
	return u.ProfileImageURL
}

// profileImage serves what was stored if it is a picture, and the default
// otherwise: addresses elsewhere are neither fetched nor redirected to.
func (a *API) profileImage(w http.ResponseWriter, r *http.Request, _ *route.Call) error {
	u, err := a.Users.UserByID(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if strings.HasPrefix(u.ProfileImageURL, "data:") {
		if media, picture, err := auth.DecodeImage(u.ProfileImageURL); err == nil {
			return writePicture(w, media, picture)
		}
	}
	return writePicture(w, "image/png", silhouette())
}

func writePicture(w http.ResponseWriter, media string, picture []byte) error {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, max-age=300")
	_, err := w.Write(picture)
	return err
}

// silhouette is the picture of who set none, drawn once: a head and shoulders.
var silhouette = sync.OnceValue(func() []byte {
	const size = 96
	back, front := color.RGBA{0xe4, 0xe7, 0xec, 0xff}, color.RGBA{0x98, 0xa2, 0xb3, 0xff}
	img := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{back, front})
	for y := range size {
		for x := range size {
			head := square(x-48)+square(y-36) < square(17)
			body := square(x-48)+square(y-92) < square(33)
			if head || body {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		panic(err) // a picture of our own in memory
	}
	return buf.Bytes()
})

func square(n int) int { return n * n }
