//! Both mailers against real files and a real, if small, SMTP server.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Long enough for a busy machine: only silence is meant to end it.
const PATIENCE: Duration = Duration::from_secs(20);

fn mail() -> OutgoingMail {
    OutgoingMail {
        message_id: "ntf_0192f0c1@innkeeper.test".to_owned(),
        from: "Innkeeper <stay@innkeeper.test>".to_owned(),
        to: "Zoë Guest <zoe@guests.test>".to_owned(),
        subject: "Your stay in Málaga is booked".to_owned(),
        text: "See you soon.\n.\nA line with one dot above.".to_owned(),
        html: "<p>See you <b>soon</b>.</p>".to_owned(),
        at: "2026-11-22T12:00:00Z".parse().unwrap(),
    }
}

fn to(address: &str) -> OutgoingMail {
    OutgoingMail { to: address.to_owned(), ..mail() }
}

fn rejected(why: &str) -> Result<MailAnswer, Error> {
    Ok(MailAnswer::Rejected { why: why.to_owned() })
}

mod into_a_folder {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_message_is_a_file_that_a_mail_program_can_open() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::open(&folder.path().join("outbox")).unwrap();
        assert_eq!(mailer.send(&mail()).await, Ok(MailAnswer::Accepted));

        let eml = fs::read_to_string(mailer.path_of(&mail().message_id)).unwrap();
        assert!(eml.contains("Message-ID: <ntf_0192f0c1@innkeeper.test>\r\n"), "{eml}");
        assert!(eml.contains("Date: Sun, 22 Nov 2026 12:00:00 +0000\r\n"), "{eml}");
        assert!(eml.contains("To: =?utf-8?b?") && eml.contains("<zoe@guests.test>"), "{eml}");
        assert!(eml.contains("text/plain") && eml.contains("text/html"), "{eml}");
    }

    #[tokio::test]
    async fn sending_again_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::open(folder.path()).unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            mailer.send(&mail()).await.unwrap();
            seen.push(fs::read(mailer.path_of(&mail().message_id)).unwrap());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "one message is one file");
        assert!(seen.iter().all(|bytes| *bytes == seen[0]), "every try writes the same bytes");
    }

    #[tokio::test]
    async fn ids_that_read_alike_are_two_files_and_none_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::open(&folder.path().join("outbox")).unwrap();
        for id in ["a.b@x", "a_b@x", "../../etc@x"] {
            mailer.send(&OutgoingMail { message_id: id.to_owned(), ..mail() }).await.unwrap();
        }
        assert_eq!(fs::read_dir(folder.path().join("outbox")).unwrap().count(), 3);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn nobody_smuggles_a_header() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::open(folder.path()).unwrap();
        let subject = "Hello\r\nBcc: victim@x.test".to_owned();
        mailer.send(&OutgoingMail { subject, ..mail() }).await.unwrap();
        let eml = fs::read_to_string(mailer.path_of(&mail().message_id)).unwrap();
        assert!(!eml.lines().any(|line| line.starts_with("Bcc")), "{eml}");

        assert_eq!(mailer.send(&to("a@x.test\r\nBcc: victim@x.test")).await, rejected("bad_address"));
        let smuggled = OutgoingMail { message_id: "a@b>\r\nBcc: victim@x.test".to_owned(), ..mail() };
        assert!(matches!(mailer.send(&smuggled).await, Err(Error::Misconfigured { .. })));
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_an_answer_and_a_bad_sender_our_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::open(folder.path()).unwrap();
        assert_eq!(mailer.send(&to("not an address")).await, rejected("bad_address"));
        let nobody = OutgoingMail { from: "nobody".to_owned(), ..mail() };
        assert!(matches!(mailer.send(&nobody).await, Err(Error::Misconfigured { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

mod over_smtp {
    use super::*;

    #[tokio::test]
    async fn a_message_reaches_the_server_whole_and_the_connection_is_used_again() {
        let server = Server::start([]).await;
        for _ in 0..3 {
            assert_eq!(server.mailer().send(&mail()).await, Ok(MailAnswer::Accepted));
        }
        let mailer = server.mailer();
        let before = server.connections();
        for _ in 0..3 {
            assert_eq!(mailer.send(&mail()).await, Ok(MailAnswer::Accepted));
        }
        assert_eq!(server.connections() - before, 1);
        let inbox = server.inbox();
        assert_eq!(inbox.len(), 6);
        assert!(inbox[0].contains("Message-ID: <ntf_0192f0c1@innkeeper.test>"), "{}", inbox[0]);
        assert!(inbox[0].contains("\r\n..\r\n"), "a line with one dot must not end the message: {}", inbox[0]);
        assert!(inbox.iter().all(|message| *message == inbox[0]));
    }

    #[tokio::test]
    async fn what_an_error_means_depends_on_the_step() {
        use Outcome::{Misconfigured, Rejected, Transient, Unknown};
        let cases = [
            (Step::Greeting, Reply::Say("421 too busy"), Transient),
            (Step::Greeting, Reply::Say("554 go away"), Misconfigured),
            (Step::Greeting, Reply::HangUp, Transient),
            (Step::Greeting, Reply::Silence, Transient),
            (Step::Sender, Reply::Say("451 later"), Transient),
            (Step::Sender, Reply::Say("550 5.7.1 we do not take mail from you"), Misconfigured),
            (Step::Sender, Reply::Say("530 5.7.0 log in first"), Misconfigured),
            (Step::Recipient, Reply::Say("450 4.2.1 mailbox busy"), Transient),
            (Step::Recipient, Reply::Say("550 5.1.1 <zoe@guests.test> unknown"), Rejected("550 5.1.1")),
            (Step::Recipient, Reply::Say("530 log in first"), Misconfigured),
            (Step::Recipient, Reply::Silence, Transient),
            (Step::Data, Reply::Say("451 later"), Transient),
            (Step::Data, Reply::Say("554 zoe@guests.test is not wanted"), Rejected("554")),
            (Step::Data, Reply::HangUp, Transient),
            (Step::Message, Reply::Say("452 4.3.1 disk full"), Transient),
            (Step::Message, Reply::Say("554 5.7.1 spam"), Rejected("554 5.7.1")),
            (Step::Message, Reply::HangUp, Unknown),
            (Step::Message, Reply::Silence, Unknown),
            (Step::Message, Reply::Say("gibberish"), Unknown),
        ];
        let trials: Vec<_> = cases.map(|case| tokio::spawn(trial(case))).into();
        for trial in trials {
            trial.await.unwrap();
        }
    }

    async fn trial((step, reply, expected): (Step, Reply, Outcome)) {
        let server = Server::start([(step, reply)]).await;
        let patience = if matches!(reply, Reply::Silence) { Duration::from_secs(1) } else { PATIENCE };
        let mailer = SmtpMailer::new(SmtpConfig { timeout: patience, ..config_for(server.port) });
        let answer = mailer.send(&mail()).await;
        assert_eq!(Outcome::of(&answer), expected, "{step:?} {reply:?}: {answer:?}");
        assert!(!format!("{answer:?}").contains("zoe"), "{step:?} {reply:?} keeps an address: {answer:?}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_tried_again_later() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let answer = mailer_to(port).send(&mail()).await;
        assert!(matches!(answer, Err(Error::Transient { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn a_refused_message_does_not_spoil_the_next() {
        let server = Server::start([(Step::Recipient, Reply::Say("550 no such user"))]).await;
        let mailer = server.mailer();
        assert_eq!(mailer.send(&mail()).await, rejected("550"));
        assert_eq!(mailer.send(&mail()).await, Ok(MailAnswer::Accepted));
    }

    #[tokio::test]
    async fn a_kept_connection_that_died_is_replaced() {
        let server = Server::start([(Step::Idle, Reply::HangUp)]).await;
        let mailer = server.mailer();
        assert_eq!(mailer.send(&mail()).await, Ok(MailAnswer::Accepted));
        assert_eq!(mailer.send(&mail()).await, Ok(MailAnswer::Accepted));
        assert_eq!((server.connections(), server.inbox().len()), (2, 2));
    }

    #[tokio::test]
    async fn no_mail_and_no_password_goes_to_a_server_that_cannot_protect_them() {
        let server = Server::start([]).await;
        let login = Some(SmtpLogin { user: "apikey".to_owned(), password: "secret".into() });
        let config = SmtpConfig { security: SmtpSecurity::StartTls, login, ..config_for(server.port) };
        let answer = SmtpMailer::new(config).send(&mail()).await;
        assert!(matches!(answer, Err(Error::Misconfigured { .. })), "{answer:?}");
        assert_eq!(server.inbox().len(), 0);
        assert!(!server.heard().iter().any(|line| line.starts_with("AUTH")), "{:?}", server.heard());
    }

    #[tokio::test]
    async fn an_address_beyond_ascii_needs_a_server_that_understands_it() {
        let server = Server::start([]).await;
        assert_eq!(server.mailer().send(&to("zoë@guests.test")).await, rejected("address_needs_smtputf8"));
    }

    #[derive(Debug, PartialEq)]
    enum Outcome {
        Rejected(&'static str),
        Transient,
        Unknown,
        Misconfigured,
        Other,
    }

    impl Outcome {
        fn of(answer: &Result<MailAnswer, Error>) -> Self {
            match answer {
                Ok(MailAnswer::Rejected { why }) => Self::Rejected(why.clone().leak()),
                Ok(MailAnswer::Accepted) => Self::Other,
                Err(Error::Transient { .. }) => Self::Transient,
                Err(Error::Unknown { .. }) => Self::Unknown,
                Err(Error::Misconfigured { .. }) => Self::Misconfigured,
            }
        }
    }
}

/// A step of the conversation at which the server can be told to misbehave, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Greeting,
    Sender,
    Recipient,
    Data,
    Message,
    /// Between two messages on one connection.
    Idle,
}

#[derive(Debug, Clone, Copy)]
enum Reply {
    Say(&'static str),
    HangUp,
    Silence,
}

/// A small SMTP server on loopback that does as it is told and keeps what it gets.
struct Server {
    port: u16,
    state: Arc<ServerState>,
}

#[derive(Default)]
struct ServerState {
    orders: Mutex<VecDeque<(Step, Reply)>>,
    inbox: Mutex<Vec<String>>,
    heard: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl Server {
    async fn start(orders: impl Into<VecDeque<(Step, Reply)>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(ServerState { orders: Mutex::new(orders.into()), ..ServerState::default() });
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let state = serving.clone();
                tokio::spawn(async move { Conversation { stream: BufReader::new(stream), state }.hold().await });
            }
        });
        Self { port, state }
    }

    fn mailer(&self) -> SmtpMailer {
        mailer_to(self.port)
    }

    fn inbox(&self) -> Vec<String> {
        self.state.inbox.lock().unwrap().clone()
    }

    fn heard(&self) -> Vec<String> {
        self.state.heard.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

fn mailer_to(port: u16) -> SmtpMailer {
    SmtpMailer::new(config_for(port))
}

fn config_for(port: u16) -> SmtpConfig {
    SmtpConfig { host: "127.0.0.1".to_owned(), port, security: SmtpSecurity::Plain, login: None, timeout: PATIENCE }
}

struct Conversation {
    stream: BufReader<TcpStream>,
    state: Arc<ServerState>,
}

impl Conversation {
    async fn hold(mut self) -> Option<()> {
        self.answer(Step::Greeting, "220 ready").await?;
        loop {
            let line = self.line().await?;
            match line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" => self.say("250 small.test").await?,
                "MAIL" => self.answer(Step::Sender, "250 ok").await.map(|_| ())?,
                "RCPT" => self.answer(Step::Recipient, "250 ok").await.map(|_| ())?,
                "DATA" => {
                    if self.answer(Step::Data, "354 go ahead").await? {
                        self.message().await?;
                    }
                }
                "NOOP" | "RSET" => self.say("250 ok").await?,
                "QUIT" => return self.say("221 bye").await,
                _ => self.say("502 what?").await?,
            };
        }
    }

    async fn message(&mut self) -> Option<()> {
        let mut message = String::new();
        loop {
            let line = self.line().await?;
            if line == "." {
                break;
            }
            message.push_str(&line);
            message.push_str("\r\n");
        }
        if self.answer(Step::Message, "250 taken").await? {
            self.state.inbox.lock().unwrap().push(message);
        }
        // An idle connection that dies does so before the next command.
        if let Some(Reply::HangUp) = self.order(Step::Idle) { None } else { Some(()) }
    }

    fn order(&self, step: Step) -> Option<Reply> {
        let mut orders = self.state.orders.lock().unwrap();
        let at = orders.iter().position(|(ordered, _)| *ordered == step)?;
        orders.remove(at).map(|(_, reply)| reply)
    }

    /// Says what is usual at this step (true) or what was ordered (false).
    async fn answer(&mut self, step: Step, usual: &str) -> Option<bool> {
        match self.order(step) {
            None => self.say(usual).await.map(|()| true),
            Some(Reply::Say(unusual)) => self.say(unusual).await.map(|()| false),
            Some(Reply::HangUp) => None,
            // Reads on until the client gives up.
            Some(Reply::Silence) => loop {
                self.line().await?;
            },
        }
    }

    async fn say(&mut self, reply: &str) -> Option<()> {
        self.stream.write_all(format!("{reply}\r\n").as_bytes()).await.ok()
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(read) if read > 0 => {
                let line = line.trim_end_matches(['\r', '\n']).to_owned();
                self.state.heard.lock().unwrap().push(line.clone());
                Some(line)
            }
            _ => None,
        }
    }
}
