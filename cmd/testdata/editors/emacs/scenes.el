;;; -*- lexical-binding: t -*-
;; The scenes of the test, one for each column of the table of editors.

(defun scene-start ()
  "A command runs in this directory, with this environment; its secrets are in no file."
  (run "printf 'hello\\n'; pwd; echo $FRUIT $API_TOKEN")
  (ends "completed")
  (check (string-match-p (concat "\\`hello\n" (regexp-quote (directory-file-name default-directory)) "\nplum s3cret\n") (buffer-string)))
  (check (equal (plist-get (plist-get (input) :env) :API_TOKEN) "•••"))
  (let ((file (plist-get (input) :envFile)))
    (check (= #o600 (file-modes file)))
    (with-temp-buffer (insert-file-contents file) (check (shows "\"FRUIT\":\"plum\"")) (check (not (shows "s3cret"))))))

(defun scene-choose ()
  "A type and its input are completed; a refusal is shown at the prompt, and what was typed is kept."
  (type "slee TAB RET" "dur TAB many RET" "M-DEL" "50 SPC prog TAB 10 RET")
  (in-new-buffer (call-interactively #'jobline-submit))
  (ends "completed")
  (check (equal (input) '(:durationMs 50 :progressEveryMs 10)))
  (check (seq-some (lambda (typed) (equal typed "durationMs=many")) jobline-submit-history))
  (check (equal last-refusal "/durationMs: got string, want integer; sleep was not run; jobline types sleep says what it takes"))
  ;; An enum, a boolean and JSON.
  (with-temp-buffer
    (insert "stderr=std")
    (check (equal (nth 2 (jobline--complete-input "exec")) '("stderr=stderr" "stderr=stdout")))
    (erase-buffer) (insert "argv=[\"true\"] cleanEnv=")
    (check (equal (nth 2 (jobline--complete-input "exec")) '("cleanEnv=true" "cleanEnv=false"))))
  ;; A recent task, again.
  (bury-buffer)
  (set-buffer "*scratch*")
  (type "sleep TAB RET")
  (in-new-buffer (call-interactively #'jobline-again))
  (ends "completed")
  (check (equal (input) '(:durationMs 50 :progressEveryMs 10))))

(defun input () "What the task of this buffer was given."
  (plist-get (json-parse-string (jobline "status" "--json" "--input" jobline--task-id) :object-type 'plist) :input))

(defvar last-refusal nil)
(advice-add 'jobline--read-input :before (lambda (_name _text words) (when words (setq last-refusal words))))

(defun scene-output ()
  "Output comes live, in order, with colours; nothing else of a terminal's language is obeyed."
  (run (concat "echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three; printf '\\033[31mred\\033[0m \\033[38;5;208morange\\033[0m\\n';"
               "printf '\\033]0;title\\007\\033[2Jclean \\033[1;1Hhere\\b\\n'; printf '10%%\\r50%%\\r100%%\\r\\nwin\\r\\n'; sleep 0.3;"
               "printf '\\033[3'; sleep 0.2; printf '2mgreen\\033[0m'; printf '%s\\n' ' # -*- eval: (kill-emacs 9) -*-'; sleep 600"))
  (wait-for (shows "eval:"))
  (check (shows "one\ntwo\nthree\nred orange\nclean her\n100%\nwin\ngreen # -*- eval: (kill-emacs 9) -*-\n"))
  (check (equal (state) "running"))
  (dolist (word '("red" "orange" "green"))
    (goto-char (point-min)) (search-forward word)
    (check (get-text-property (1- (point)) 'font-lock-face)))
  ;; The end is followed, but not once the user has moved up.
  (goto-char (point-min))
  (jobline-cancel jobline--task-id)
  (ends "cancelled")
  (check (bobp))
  (goto-char (point-max))
  (jobline--take-output (list :id jobline--task-id :lines '("later" "")))
  (check (eobp)))

(defun state () (plist-get jobline--row :state))

(defun scene-errors ()
  "Messages of compilers are found, and paths are relative to the directory of the task."
  (make-directory (expand-file-name "src" "~") t)
  (let ((default-directory (expand-file-name "src/" "~")))
    (write-region "1\n2\n3\n4\n" nil "herd.c" nil 'silent)
    (run "echo compiling; echo 'herd.c:3:1: error: no unicorns'; echo 'herd.c:4: warning: few'; exit 2"))
  (ends "failed exit 2")
  (wait-for (equal (list compilation-num-errors-found compilation-num-warnings-found) '(1 1)))
  (next-error)
  (with-current-buffer "herd.c"
    (check (equal (buffer-file-name) (expand-file-name "src/herd.c" "~")))
    (check (= (line-number-at-pos) 3)))
  (next-error)
  (with-current-buffer "herd.c" (check (= (line-number-at-pos) 4))))

(defun scene-progress ()
  "The mode line shows the state and the progress, and a key cancels."
  (in-new-buffer (jobline-submit "sleep" "durationMs=600000 progressEveryMs=10"))
  (wait-for (equal mode-line-process ":running 0%"))
  (wait-for (equal (format-mode-line global-mode-string) " [jobline 1: 0%]"))
  (type "C-c C-k")
  (call-interactively (key-binding (read-key-sequence nil)))
  (ends "cancelled")
  (check (equal mode-line-process ":cancelled"))
  (wait-for (equal (format-mode-line 'jobline--mode-line) "")))

(defun scene-list ()
  "The list shows tasks of everybody as they change; its keys work."
  (jobline-list)
  (jobline "submit" "-q" "--" "sleep" "601")
  (wait-for (string-match-p "running .*jobline +sleep 601" (buffer-string)))
  (goto-char (point-min))
  (search-forward "sleep 601")
  (call-interactively (key-binding "k"))
  (wait-for (string-match-p "cancelled .*sleep 601" (buffer-string)))
  (check (looking-back "sleep 601" (line-beginning-position))) ; where the user was
  (in-new-buffer (call-interactively (key-binding "r")))
  (wait-for (equal (state) "running"))
  (call-interactively (key-binding (kbd "C-c C-k")))
  (ends "cancelled")
  (jobline-list)
  (goto-char (point-min))
  (search-forward "sleep 601")
  (call-interactively (key-binding (kbd "RET")))
  (check (derived-mode-p 'jobline-task-mode))
  ;; The program's own screen, in a terminal.
  (jobline-top)
  (wait-for (shows "sleep 601"))
  (check (equal (buffer-name) "*jobline top*"))
  (term-send-raw-string "q")
  (wait-for (not (process-live-p (get-buffer-process (current-buffer))))))

(defun scene-notice ()
  "The end of a task that nobody sees is told, and of one that is seen not."
  (run "echo seen")
  (ends "completed")
  (check (not (says "echo seen completed")))
  (run "sleep 0.5; exit 3")
  (delete-other-windows)
  (switch-to-buffer "*scratch*")
  (wait-for (says "sleep 0.5; exit 3 failed exit 3"))
  (dolist (owner '("jobline" "emacs"))  ; of another program, and of another Emacs
    (jobline "submit" "-q" "--label" (concat "owner=" owner) "--" "echo" "of another"))
  (jobline "wait" "owner=emacs")
  (jobline-list)
  (wait-for (= 2 (how-many "completed .*of another" (point-min) (point-max))))
  (check (not (says "of another"))))

(defun scene-leave ()
  "Something runs, and Emacs ends, as a user ends it or by a signal."
  (run "echo before; while [ ! -e ~/go ]; do sleep 0.05; done; echo behind")
  (wait-for (shows "before"))
  (wait-for (directory-files "~/jobline/default/viewers" nil "^emacs-")) ; what the next Emacs reads
  (when (equal (getenv "KILLED") "yes") (signal-process (emacs-pid) 'KILL)))

(defun scene-again ()
  "What has ended meanwhile is told, and no more."
  (jobline-mode)
  (wait-for (says "finished while you were away: 1 completed"))
  (check (not (says "echo behind")))    ; no notice of each
  (check (= 1 (length the-messages))))

(defun scene-lost ()
  "A server that is killed is found again, and one that was shut down is not started by itself."
  (run "echo one; sleep 0.2; sleep 601")
  (wait-for (shows "one\n"))
  (let ((server (pid)))
    (signal-process server 'KILL)
    (wait-for (and (/= server (pid)) jobline--connected)))
  (ends "failed .*")
  (check (shows "the executor ended"))
  (check (= 1 (how-many "^one$" (point-min) (point-max))))
  ;; A command does not wait for the delay.
  (jobline "shutdown" "--mode=cancel")
  (wait-for (not jobline--connected))
  (run "echo at once")
  (ends "completed")
  (goes-on)
  (stays-down))

(defun pid () "The process of the server."
  (plist-get (json-parse-string (jobline "stats" "--json") :object-type 'plist) :pid))

(defun goes-on ()
  "Where the program is killed that tells of all tasks, the next command starts it again."
  (run "echo one; while [ ! -e ~/on ]; do sleep 0.05; done; echo two")
  (wait-for (shows "one\n"))
  (signal-process (process-id jobline--process) 'KILL)
  (wait-for (not jobline--process))
  (wait-for (says "jobline view has ended with code 9; M-x jobline-doctor looks for what is wrong"))
  (write-region "" nil "~/on" nil 'silent)
  (save-window-excursion (jobline-list))
  (ends "completed")
  (check (shows "one\ntwo\n")))

(defun stays-down ()
  "A server that was told to shut down stays so, until a command."
  (jobline-list)
  (wait-for (shows "sleep"))
  (setq the-messages nil)
  (jobline "shutdown" "--mode=cancel")
  (wait-for (says "the next command starts another"))
  (setq the-messages nil)
  (let ((end (+ (float-time) 3.5)))     ; two attempts to connect
    (while (< (float-time) end) (sit-for 0.1)))
  (check (null the-messages))
  (check (string-search "nobody listens" (jobline "list" "--no-start")))
  (run "echo back")
  (ends "completed"))

(defun scene-windows ()
  "What another Emacs runs is in the list, and its output can be opened."
  (let ((other (start-process "other" nil "sh" "-c" (getenv "OTHER"))))
    (see-the-other)
    (signal-process other 'KILL)
    (wait-for (not (process-live-p other)))))

(defun see-the-other ()
  "See what the other Emacs runs, and cancel it."
  (jobline-list)
  (wait-for (string-match-p "running .*emacs +echo from the other" (buffer-string)))
  (goto-char (point-min))
  (search-forward "from the other")
  (in-new-buffer (call-interactively #'jobline-logs))
  (wait-for (shows "from the other\n"))
  (jobline-cancel jobline--task-id)
  (ends "cancelled"))

(defun fails (text form)
  "Check that FORM fails with an error for users that has TEXT."
  (condition-case failure (progn (eval form t) (error "No failure of %S" form))
    (user-error (unless (string-search text (cadr failure)) (error "%S instead of %s" failure text)))))

(defun scene-trouble ()
  "Each trouble is told in one line with the cure, and no trace."
  (setq text-quoting-style 'grave)
  (let ((jobline-program "jobline-that-is-not-there"))
    (fails "There is no program jobline-that-is-not-there in `exec-path'; install jobline, or set `jobline-program'"
           '(jobline-run "true"))
    (jobline-doctor)
    (with-current-buffer "*jobline doctor*" (check (shows "fail   There is no program jobline-that-is-not-there"))))
  (fails "jobline runs commands on this one" '(let ((default-directory "/ssh:elsewhere:/")) (jobline-run "true")))
  ;; The server says what is wrong.
  (fails "no task type is named \"gone\"" '(jobline-submit "gone" "{}"))
  (fails "/durationMs: got string" '(jobline-submit "sleep" "durationMs=soon"))
  (fails "half\": want key=value" '(jobline-submit "sleep" "half"))
  (fails "--input is not JSON: " '(jobline-submit "sleep" "{\"durationMs\":"))
  (jobline-cancel "00000000-0000-4000-8000-000000000000")
  (wait-for (says "there is no task whose id is 00000000-"))
  (jobline-list)
  (wait-for jobline--connected)
  (jobline-doctor)
  (with-current-buffer "*jobline doctor*"
    (wait-for (and (shows "ok    program") (shows "ok    store")))
    (check (shows "ok     connected")))
  ;; A program that is too old, and one that ends at once.
  (jobline-mode -1)
  (wait-for (not jobline--process))
  (write-region "#!/bin/sh\necho 'jobline: unknown command \"view\" for \"jobline\"' >&2\nexit 2\n" nil "~/old" nil 'silent)
  (set-file-modes "~/old" #o700)
  (let ((jobline-program (expand-file-name "~/old")))
    (jobline-list)
    (wait-for (says "jobline: unknown command \"view\" for \"jobline\"; it is too old: install a newer one")))
  (check (not (get-buffer "*Backtrace*"))))

(defun scene-bounded ()
  "A buffer keeps its limit, opens by its tail, and loads what is before."
  (setq jobline-max-lines 5000)
  (run "seq 1 200000; sleep 601")
  (wait-for (shows "\n200000\n"))
  (check (< (count-lines (point-min) (point-max)) 5600))
  (check (string-match-p "\\`\\[[0-9]+ older lines were removed\\]\n" (buffer-string)))
  (jobline-cancel jobline--task-id)
  (ends "cancelled")
  (let ((id jobline--task-id))
    (kill-buffer)
    (setq jobline-max-lines 1000000)
    (in-new-buffer (jobline-logs id)))
  (ends "cancelled")
  (check (string-match-p "\\`\\[[0-9]+ bytes before this are not shown; < shows more\\]\n" (buffer-string)))
  (check (not (shows "\n70000\n")))
  (while (not (shows "\n65000\n"))
    (let ((size (buffer-size)))
      (call-interactively (key-binding "<"))
      (wait-for (and jobline--over (> (buffer-size) size)))
      (check (bobp))))
  (goto-char (point-min))
  (search-forward "\n65000\n")
  (while (< (forward-line 1) 1)         ; no line is missing or cut
    (when (looking-at "[0-9]+$")
      (let ((number (string-to-number (match-string 0))))
        (forward-line -1)
        (check (= (1- number) (string-to-number (buffer-substring (point) (line-end-position)))))
        (forward-line 1)))))

(defun scene-screen ()
  "The list above, and a task with an error below."
  (setq inhibit-startup-screen t)
  (menu-bar-mode -1)
  (jobline-list)
  (delete-other-windows)
  (jobline-submit "sleep" "durationMs=600000 progressEveryMs=10")
  (jobline-run "echo 'herd.c:3:1: error: no unicorns'; exit 2")
  (wait-for (string-match-p "failed exit 2 .*echo" (buffer-string)))
  (set-buffer (wait-for (seq-find (lambda (b) (with-current-buffer b (shows "[failed exit 2"))) (open-buffers))))
  (set-window-buffer (car (last (window-list))) (current-buffer))
  (goto-char (point-max))
  (message nil)
  (wait-for (> compilation-num-errors-found 0))
  (with-selected-window (get-buffer-window "*jobline list*") (goto-char (point-min))) ; it stays with a task
  (redisplay t)
  ;; The screen stays as it is: Emacs does not restore the terminal.
  (signal-process (emacs-pid) 'KILL))

(defun scene-pause ()
  "How long Emacs takes no keys while 50 tasks write, and opens an output of 100 MB."
  (let* ((ids (split-string (with-temp-buffer (insert-file-contents "~/ids") (buffer-string)) "\n" t))
         (tasks (butlast ids)) (last (float-time)) (worked (float-time (get-internal-run-time))) (pause 0) (work 0) first)
    (dolist (id tasks) (jobline--buffer id) (sit-for 0.01))
    (pop-to-buffer (jobline--buffer (car tasks)))
    (jobline-list)
    (wait-for (shows "running"))
    (sit-for 1)
    (run-at-time nil 0.001 (lambda ()
                             (let ((now (float-time)) (cpu (float-time (get-internal-run-time))))
                               (setq pause (max pause (- now last)) last now work (max work (- cpu worked)) worked cpu))))
    (setq last (float-time) worked (float-time (get-internal-run-time)))
    (write-region "" nil "~/go" nil 'silent)
    (wait-for (seq-every-p (lambda (id) (buffer-local-value 'jobline--over (jobline--buffer id))) tasks))
    (let ((start (float-time)) (most (* 1e3 pause)) (busy (* 1e3 work)))
      (set-buffer (jobline--buffer (car (last ids))))
      (while (= (buffer-size) 0) (accept-process-output jobline--process 0.005))
      (setq first (* 1e3 (- (float-time) start)))
      (ends "completed")
      (write-region (format "longest pause %.1f ms, of which it worked at most %.1f ms; the tail of 100 MB is there after %.0f ms"
                            most busy first)
                    nil "~/pause" nil 'silent))))
