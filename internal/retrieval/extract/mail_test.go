package extract

import (
	"encoding/base64"
	"strings"
	"testing"
)

const emlHead = "From: =?iso-8859-1?Q?J=F8rgen?= <j@example.org>\r\nTo: a@example.org,\r\n\tb@example.org\r\nReceived: from x\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n" +
	"Subject: =?utf-8?B?" + "SGF2bmVuIMOlcG5lcg==" + "?=\r\nMIME-Version: 1.0\r\n"

func TestEML(t *testing.T) {
	t.Parallel()
	attached := base64.StdEncoding.EncodeToString([]byte("Depth of berth 7: nine metres.\n"))
	content := emlHead + "Content-Type: multipart/mixed; boundary=\"out\"\r\n\r\npreamble\r\n--out\r\n" +
		"Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\nContent-Type: text/plain; charset=iso-8859-1; format=flowed\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
		"The harbour =E5pner at=20\r\nseven.\r\n\r\nRegards\r\n--in\r\nContent-Type: text/html\r\n\r\n<p>The other form</p>\r\n--in--\r\n" +
		"--out\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\n\r\nxx\r\n" +
		"--out\r\nContent-Type: text/plain; name=\"=?utf-8?Q?dybde.txt?=\"\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n" + attached[:10] + "\r\n " + attached[10:] + "\r\n" +
		"--out\r\nContent-Type: message/rfc822\r\n\r\nFrom: c@example.org\r\nSubject: Inner\r\n\r\nInner text.\r\n" +
		"--out\r\nContent-Type: application/x-tool\r\nContent-Disposition: attachment; filename=\"..\\\\..\\\\tool.exe\"\r\nContent-Transfer-Encoding: base64\r\n\r\nf0VMRgAA\r\n--out--\r\n"
	golden(t, "harbour.eml", []byte(content))
}

func TestEMLOdd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ content, want string }{
		"cut off":            {emlHead + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nOnly this", "Only this"},
		"no boundary":        {emlHead + "Content-Type: multipart/mixed\r\n\r\nPlain after all", "Plain after all"},
		"bad type":           {emlHead + "Content-Type: /;;\r\n\r\nPlain after all", "Plain after all"},
		"unknown charset":    {emlHead + "Content-Type: text/plain; charset=x-none\r\n\r\ncaf\xe9", "café"},
		"broken base64":      {emlHead + "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8gd29ybGQ=!!!x", "Hello world"},
		"a line that is odd": {"From: a@b\nthis is no field\nSubject: S\n\nText", "Subject: S"},
		"long line":          {"From: a@b\nX-Long: " + strings.Repeat("x", 10_000) + "\nSubject: S\n\nText", "Subject: S"},
	} {
		d, err := extractBytes(t, "a.eml", []byte(c.content))
		if err != nil || !strings.Contains(d.Text, c.want) {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
}

func TestEMLLimits(t *testing.T) {
	t.Parallel()
	_, err := extractBytes(t, "a.eml", []byte("From: a@b\nX: "+strings.Repeat("x", maxMailHeader)+"\n\nText"))
	fails(t, "limit:memory", err)
	deep := "From: a@b\n"
	for i := range 30 {
		b := "b" + strings.Repeat("x", i)
		deep += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n"
	}
	_, err = extractBytes(t, "a.eml", []byte(deep+"\ntext"))
	fails(t, "limit:depth", err)
	_, err = extractUnder(t, Limits{Members: 10}, "a.eml", []byte("From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n"+strings.Repeat("--b\n\nx\n", 100)))
	fails(t, "limit:members", err)
}
