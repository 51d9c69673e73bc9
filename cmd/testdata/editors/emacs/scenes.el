;;; -*- lexical-binding: t -*-
(defun scene-start ()
  (run "printf 'hello\\n'; pwd; echo $FRUIT $API_TOKEN")
  (wait-for (shows "[completed after"))
  (check (shows "hello\n"))
  (check (shows (directory-file-name default-directory)))
  (check (shows "plum s3cret"))
  (princ (buffer-string)))
