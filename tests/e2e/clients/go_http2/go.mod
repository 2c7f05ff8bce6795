module go_http2

go 1.24
