//! What the people, companies and places of the demo are called. Everything is put together by
//! chance; whoever finds a real name here found an accident.

pub(super) const FIRST_NAMES: [&str; 40] = [
    "Adriana", "Alice", "Aline", "André", "Antônio", "Beatriz", "Bruno", "Caio", "Camila",
    "Cecília", "César", "Cláudia", "Débora", "Eduardo", "Fábio", "Fernanda", "Flávia", "Gustavo",
    "Helena", "Inês", "Ítalo", "João", "Júlia", "Laís", "Letícia", "Luís", "Marcelo", "Márcia",
    "Mônica", "Otávio", "Patrícia", "Rafael", "Renata", "Sérgio", "Sofia", "Tânia", "Thiago",
    "Úrsula", "Vinícius", "Zélia",
];

pub(super) const LAST_NAMES: [&str; 36] = [
    "Almeida", "Antunes", "Araújo", "Assunção", "Barbosa", "Brandão", "Camargo", "Cardoso",
    "Conceição", "Damasceno", "Esteves", "Falcão", "Figueiredo", "Galvão", "Gonçalves",
    "Guimarães", "Leão", "Lourenço", "Magalhães", "Menezes", "Moraes", "Nóbrega", "Paixão",
    "Peçanha", "Queiroz", "Ramalho", "Rezende", "Sá", "Sampaio", "Simões", "Siqueira", "Teixeira",
    "Valença", "Vasconcelos", "Villela", "Xavier",
];

/// Segment, what its companies call themselves, and how often.
pub(super) const SEGMENTS: [(&str, &[&str]); 10] = [
    ("Tecnologia", &["Sistemas", "Software", "Dados", "Soluções Digitais"]),
    ("Varejo", &["Comércio", "Atacado", "Lojas", "Magazine"]),
    ("Indústria", &["Metalúrgica", "Indústria de Plásticos", "Têxtil", "Equipamentos"]),
    ("Saúde", &["Clínica", "Diagnósticos", "Laboratório", "Odontologia"]),
    ("Agronegócio", &["Agrícola", "Grãos", "Cooperativa", "Fazendas"]),
    ("Logística", &["Transportes", "Logística", "Armazéns", "Cargas"]),
    ("Educação", &["Colégio", "Cursos", "Editora", "Escola Técnica"]),
    ("Construção", &["Construtora", "Engenharia", "Incorporadora", "Materiais"]),
    ("Alimentos", &["Alimentos", "Laticínios", "Padaria", "Cafés"]),
    ("Serviços", &["Contabilidade", "Consultoria", "Facilities", "Hotelaria"]),
];

pub(super) const COMPANY_WORDS: [&str; 48] = [
    "Açaí Dourado", "Aroeira", "Baía Serena", "Barão do Vale", "Bem-te-vi", "Boa Safra",
    "Caminho Novo", "Campo Florido", "Canela Verde", "Capivara", "Céu Aberto", "Chapada Alta",
    "Cinco Rios", "Cristal do Sul", "Estrela Guia", "Flor de Ipê", "Girassol", "Graúna",
    "Horizonte Claro", "Ipê Roxo", "Jacarandá", "Jatobá", "Lagoa Mansa", "Luar do Sertão",
    "Mandacaru", "Mar Aberto", "Maré Alta", "Mirante", "Monte Azul", "Nascente", "Nova Trilha",
    "Onda Leve", "Palmeiral", "Pedra Rara", "Pinheiral", "Ponte Nova", "Porto Sereno",
    "Raiz Forte", "Recanto", "Rio Manso", "Sabiá", "Serra Bonita", "Sol Nascente", "Tucano",
    "Trilha do Ouro", "Vale Encantado", "Vento Sul", "Vitória-Régia",
];

/// City, state, area code, beginning of the postal code, and how often.
pub(super) const CITIES: [((&str, &str, &str, &str), u64); 18] = [
    (("São Paulo", "SP", "11", "01"), 26),
    (("Campinas", "SP", "19", "13"), 7),
    (("São José dos Campos", "SP", "12", "12"), 4),
    (("Ribeirão Preto", "SP", "16", "14"), 4),
    (("Rio de Janeiro", "RJ", "21", "20"), 12),
    (("Niterói", "RJ", "21", "24"), 3),
    (("Belo Horizonte", "MG", "31", "30"), 8),
    (("Uberlândia", "MG", "34", "38"), 3),
    (("Curitiba", "PR", "41", "80"), 8),
    (("Maringá", "PR", "44", "87"), 3),
    (("Florianópolis", "SC", "48", "88"), 5),
    (("Joinville", "SC", "47", "89"), 3),
    (("Porto Alegre", "RS", "51", "90"), 6),
    (("Goiânia", "GO", "62", "74"), 4),
    (("Brasília", "DF", "61", "70"), 4),
    (("Salvador", "BA", "71", "40"), 4),
    (("Recife", "PE", "81", "50"), 4),
    (("Fortaleza", "CE", "85", "60"), 4),
];

pub(super) const STREETS: [&str; 10] = [
    "Rua das Acácias", "Avenida do Comércio", "Rua da Estação", "Avenida das Palmeiras",
    "Rua Quinze de Março", "Alameda dos Ipês", "Rua do Porto", "Avenida Central",
    "Travessa da Matriz", "Rua dos Operários",
];

/// Title, department, decides.
pub(super) const JOBS: [(&str, &str, bool); 10] = [
    ("Diretora-Geral", "Diretoria", true),
    ("Diretor Comercial", "Comercial", true),
    ("Gerente de Compras", "Compras", true),
    ("Coordenadora de TI", "Tecnologia", false),
    ("Analista de Compras", "Compras", false),
    ("Gerente de Operações", "Operações", true),
    ("Assistente Administrativa", "Administração", false),
    ("Controller", "Financeiro", true),
    ("Supervisor de Logística", "Operações", false),
    ("Gerente de Marketing", "Marketing", false),
];

/// Source, channel, and how often.
pub(super) const SOURCES: [((&str, &str), u64); 7] = [
    (("site", "email"), 28),
    (("google_ads", "email"), 20),
    (("indicacao", "whatsapp"), 16),
    (("linkedin", "linkedin"), 14),
    (("evento", "phone"), 9),
    (("whatsapp", "whatsapp"), 8),
    (("prospeccao_ativa", "phone"), 5),
];

/// What is sold: its name, and the least and the most that it costs, in whole units.
pub(super) const PRODUCTS: [(&str, i64, i64); 8] = [
    ("Licença anual", 6_000, 48_000),
    ("Implantação", 12_000, 90_000),
    ("Integração com o ERP", 9_000, 60_000),
    ("Suporte 24 horas", 4_000, 30_000),
    ("Painéis de gestão", 8_000, 55_000),
    ("Treinamento da equipe", 3_000, 18_000),
    ("Automação de atendimento", 10_000, 75_000),
    ("Renovação de contrato", 15_000, 140_000),
];

pub(super) const LOST_REASONS: [(&str, u64); 6] = [
    ("Preço acima do orçamento", 30),
    ("Escolheu um concorrente", 24),
    ("Sem retorno após a proposta", 18),
    ("Projeto adiado para o próximo ano", 14),
    ("Não havia verba aprovada", 9),
    ("Mudança na diretoria", 5),
];

/// Kind, how it reads before and after it was done.
pub(super) const ACTIVITIES: [(&str, &str); 8] = [
    ("call", "Ligar para alinhar o escopo"),
    ("meeting", "Reunião de apresentação"),
    ("email", "Enviar a proposta revisada"),
    ("task", "Preparar a planilha de custos"),
    ("whatsapp", "Confirmar o recebimento da proposta"),
    ("meeting", "Demonstração com a área técnica"),
    ("call", "Tirar dúvidas do jurídico"),
    ("note", "Registrar os pontos da negociação"),
];

pub(super) const SENT: [&str; 5] = [
    "Bom dia! Vi que vocês pediram mais informações; posso ajudar?",
    "Segue o material que combinamos. Fico à disposição.",
    "Conseguiu falar com a diretoria sobre a proposta?",
    "Podemos marcar uma conversa de vinte minutos nesta semana?",
    "Atualizei os valores conforme a sua equipe pediu.",
];

pub(super) const RECEIVED: [&str; 5] = [
    "Olá! Pode me enviar os preços?",
    "Obrigado, vou levar para a reunião de quinta.",
    "Preciso de uma condição melhor no pagamento.",
    "Quem toma a decisão é a nossa gerente de compras.",
    "Gostamos da demonstração, vamos em frente.",
];
